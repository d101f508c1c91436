package port

import (
	"net/url"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Artifact is content, one or more files or folders under one digest, and where it
// is stored.
type Artifact struct {
	Digest delivery.Digest // empty: not known, and not checked
	URIs   []string        // FileURI; other schemes as the adapter says
}

// FileArtifact is content on this machine.
func FileArtifact(digest delivery.Digest, paths ...string) Artifact {
	a := Artifact{Digest: digest}
	for _, p := range paths {
		a.URIs = append(a.URIs, FileURI(p))
	}
	return a
}

// Paths returns where the content is on this machine. A URI of another scheme than
// file is fault.Invalid.
func (a Artifact) Paths() ([]string, error) {
	var paths []string
	for _, uri := range a.URIs {
		p, err := FilePath(uri)
		if err != nil {
			return nil, err
		}
		paths = append(paths, p)
	}
	return paths, nil
}

// FileURI is the file URI of an absolute path.
func FileURI(path string) string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path)}
	return u.String()
}

// FilePath is the absolute path of a file URI; any other URI is fault.Invalid.
func FilePath(uri string) (string, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return "", fault.New(fault.Invalid, "invalid artifact URI %q", uri).Cause(err)
	}
	path := filepath.FromSlash(u.Path)
	if u.Scheme != "file" || u.Host != "" || !filepath.IsAbs(path) {
		return "", fault.New(fault.Invalid, "artifact %q is not an absolute file:// URI", uri)
	}
	return path, nil
}
