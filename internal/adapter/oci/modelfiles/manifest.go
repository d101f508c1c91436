// Package modelfiles knows how a model is written down and how it lies in an
// image, and copies it out of there. It needs the standard library only: the
// program that does it in a cluster has to be small.
package modelfiles

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What a model's manifest says of itself.
const (
	ArtifactType = "application/vnd.slipway.model.v1"
	ManifestType = "application/vnd.oci.image.manifest.v1+json"
	TitleKey     = "org.opencontainers.image.title"
	MaxManifest  = 4 << 20 // bytes; more is not read
)

// Where things are in an image.
const (
	Program      = "slipway-model" // copies and checks
	Folder       = "model"         // holds the two below
	ManifestName = "manifest.json" // the artifact's manifest, byte for byte
	FilesFolder  = "files"         // the files, by their titles
)

// File is one file of a model.
type File struct {
	Title  string // its name below the model's folder, parts separated by /
	Digest string // "sha256:" and 64 lower-case hexadecimal digits
	Size   int64  // bytes
}

// Parse reads a model's manifest: at least one file, sorted by title, each with a
// title of its own that stays below a folder. The caller compares the digest.
func Parse(raw []byte) ([]File, error) {
	var m struct {
		MediaType    string `json:"mediaType"`
		ArtifactType string `json:"artifactType"`
		Layers       []struct {
			Digest      string            `json:"digest"`
			Size        int64             `json:"size"`
			Annotations map[string]string `json:"annotations"`
		} `json:"layers"`
	}
	if len(raw) > MaxManifest || json.Unmarshal(raw, &m) != nil {
		return nil, errors.New("the manifest is corrupt")
	}
	if m.ArtifactType != ArtifactType || m.MediaType != ManifestType || len(m.Layers) == 0 {
		return nil, errors.New("not a model")
	}
	files := make([]File, 0, len(m.Layers))
	for _, l := range m.Layers {
		f := File{Title: l.Annotations[TitleKey], Digest: l.Digest, Size: l.Size}
		if !ValidTitle(f.Title) || !ValidDigest(f.Digest) || f.Size < 0 {
			return nil, fmt.Errorf("invalid file %q", f.Title)
		}
		files = append(files, f)
	}
	sort.Slice(files, func(i, j int) bool { return files[i].Title < files[j].Title })
	if err := checkUnique(files); err != nil {
		return nil, err
	}
	return files, nil
}

// checkUnique refuses two files in one place, and a file where a folder must be.
func checkUnique(files []File) error {
	seen := make(map[string]bool, len(files))
	for _, f := range files {
		if seen[f.Title] {
			return fmt.Errorf("duplicate file %q", f.Title)
		}
		seen[f.Title] = true
	}
	for _, f := range files {
		for dir := path.Dir(f.Title); dir != "."; dir = path.Dir(dir) {
			if seen[dir] {
				return fmt.Errorf("%q is both a file and a folder", dir)
			}
		}
	}
	return nil
}

// ValidTitle reports whether the name is valid for a file below a folder, on any
// machine.
func ValidTitle(s string) bool {
	if !fs.ValidPath(s) || s == "." || len(s) > 1024 || !utf8.ValidString(s) || strings.ContainsAny(s, "\\:") {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// ValidDigest reports whether s has the form of a digest.
func ValidDigest(s string) bool {
	digits, ok := strings.CutPrefix(s, "sha256:")
	return ok && len(digits) == 2*sha256.Size && strings.Trim(digits, "0123456789abcdef") == ""
}

// Digest names content.
func Digest(b []byte) string {
	s := sha256.Sum256(b)
	return digestString(s[:])
}

func digestString(sum []byte) string { return "sha256:" + hex.EncodeToString(sum) }
