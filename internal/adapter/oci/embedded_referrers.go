package oci

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sort"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// The library of the embedded registry knows nothing of referrers: clients would
// keep a list under a tag of its own for every image, which everybody who lists
// tags would have to look at, and which two writers at once damage. So the
// embedded registry does it itself: a file for each referrer.

var (
	referrersPath = regexp.MustCompile(`^/v2/(.+)/referrers/(sha256:[0-9a-f]{64})$`)
	manifestPath  = regexp.MustCompile(`^/v2/(.+)/manifests/[^/]+$`)
)

// maxManifest is the largest manifest that the library takes.
const maxManifest = 4 << 20

// serveReferrers answers who refers to a manifest, remembers those that come,
// and leaves everything else to the library.
func (e *Embedded) serveReferrers(app http.Handler, w http.ResponseWriter, r *http.Request) {
	if m := referrersPath.FindStringSubmatch(r.URL.Path); m != nil && ours(m[1]) && r.Method == http.MethodGet {
		e.listReferrers(w, m[1], delivery.Digest(m[2]))
		return
	}
	if m := manifestPath.FindStringSubmatch(r.URL.Path); m != nil && ours(m[1]) && r.Method == http.MethodPut {
		if err := e.remember(w, r, m[1]); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	e.serve(app, w, r)
}

func ours(repository string) bool {
	n, err := parseName(repository)
	return err == nil && n.host == ""
}

// remember writes down that a manifest refers to a subject, before the library
// has it: what was written down and never came is not listed. The other way
// round a crash would lose it.
func (e *Embedded) remember(w http.ResponseWriter, r *http.Request, repository string) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxManifest+1))
	if err != nil {
		return fmt.Errorf("read the manifest: %w", err)
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), r.Body), r.Body}
	m, refers := referrer(body)
	if !refers {
		return nil // the library says what it thinks of it
	}
	subject := delivery.Digest(m.Subject.Digest.String())
	kind := m.ArtifactType
	if kind == "" {
		kind = string(m.Config.MediaType)
	}
	digest := sum(body)
	entry, err := json.Marshal(v1.Descriptor{
		MediaType: m.MediaType, Digest: v1Hash(digest), Size: int64(len(body)), ArtifactType: kind, Annotations: m.Annotations,
	})
	if err != nil {
		return fmt.Errorf("describe the manifest: %w", err)
	}
	w.Header().Set("OCI-Subject", string(subject))
	return keep(filepath.Join(e.referrersOf(repository, subject), digest.Hex()), entry)
}

// referrer reads a manifest that refers to a subject; ok is false for any other.
func referrer(body []byte) (m manifest, ok bool) {
	if len(body) > maxManifest || json.Unmarshal(body, &m) != nil || m.Subject == nil {
		return m, false
	}
	return m, delivery.Digest(m.Subject.Digest.String()).Valid()
}

// keep writes a file whole, or not at all.
func keep(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

func (e *Embedded) listReferrers(w http.ResponseWriter, repository string, subject delivery.Digest) {
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{}}
	dir := e.referrersOf(repository, subject)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	for _, entry := range entries {
		digest := delivery.Digest("sha256:" + entry.Name())
		if !digest.Valid() || !e.hasManifest(repository, digest) {
			continue
		}
		var d v1.Descriptor
		raw, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err == nil {
			err = json.Unmarshal(raw, &d)
		}
		if err != nil || d.Digest != v1Hash(digest) {
			http.Error(w, "the entry of "+digest.Short()+" is damaged", http.StatusInternalServerError)
			return
		}
		index.Manifests = append(index.Manifests, d)
	}
	sort.Slice(index.Manifests, func(i, j int) bool {
		return index.Manifests[i].Digest.Hex < index.Manifests[j].Digest.Hex
	})
	w.Header().Set("Content-Type", string(types.OCIImageIndex))
	_ = json.NewEncoder(w).Encode(index) // who asked is gone: nobody to tell
}

func (e *Embedded) referrersOf(repository string, subject delivery.Digest) string {
	return filepath.Join(e.repository(repository), "_referrers", "sha256", subject.Hex())
}

// hasManifest tells whether the repository has it, and it was not deleted since.
func (e *Embedded) hasManifest(repository string, d delivery.Digest) bool {
	_, err := os.Stat(filepath.Join(e.repository(repository), "_manifests", "revisions", "sha256", d.Hex(), "link"))
	return err == nil
}
