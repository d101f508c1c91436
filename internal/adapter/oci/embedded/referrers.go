package embedded

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

	"github.com/slipway-cd/slipway/internal/atomicfile"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// The library has no referrers API: clients would keep a list under a tag for every
// image, which shows in every list of tags, and which two concurrent writers corrupt.
// So the embedded registry implements it: a file for each referrer.

var (
	referrersPath = regexp.MustCompile(`^/v2/(.+)/referrers/(sha256:[0-9a-f]{64})$`)
	manifestPath  = regexp.MustCompile(`^/v2/(.+)/manifests/[^/]+$`)
)

// maxManifest is the largest manifest that the library accepts, in bytes.
const maxManifest = 4 << 20

// route lists the referrers of a manifest, records those that are pushed, and leaves
// everything else to the library.
func (r *Registry) route(app http.Handler, w http.ResponseWriter, req *http.Request) {
	if m := referrersPath.FindStringSubmatch(req.URL.Path); m != nil && isLocal(m[1]) && req.Method == http.MethodGet {
		r.listReferrers(w, m[1], delivery.Digest(m[2]))
		return
	}
	if m := manifestPath.FindStringSubmatch(req.URL.Path); m != nil && isLocal(m[1]) && req.Method == http.MethodPut {
		if err := r.recordReferrer(w, req, m[1]); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	r.serve(app, w, req)
}

// recordReferrer records that a manifest refers to a subject, before the library
// stores it: an entry whose manifest never arrived is not listed, while in the other
// order a crash would lose the entry.
func (r *Registry) recordReferrer(w http.ResponseWriter, req *http.Request, repository string) error {
	body, err := io.ReadAll(io.LimitReader(req.Body, maxManifest+1))
	if err != nil {
		return fmt.Errorf("read the manifest: %w", err)
	}
	req.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), req.Body), req.Body}
	m, ok := parseReferrer(body)
	if !ok {
		return nil // the library validates it
	}
	subject, digest := delivery.Digest(m.Subject.Digest.String()), delivery.DigestOf(body)
	artifactType := m.ArtifactType
	if artifactType == "" {
		artifactType = string(m.Config.MediaType)
	}
	entry, err := json.Marshal(v1.Descriptor{
		MediaType: m.MediaType, Digest: v1Hash(digest), Size: int64(len(body)), ArtifactType: artifactType, Annotations: m.Annotations,
	})
	if err != nil {
		return fmt.Errorf("describe the manifest: %w", err)
	}
	w.Header().Set("OCI-Subject", string(subject))
	dir := r.referrersDir(repository, subject)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, digest.Hex()), entry, 0o600)
}

// referrer is the manifest of an artifact that refers to a subject.
type referrer struct {
	MediaType    types.MediaType   `json:"mediaType"`
	ArtifactType string            `json:"artifactType"`
	Config       v1.Descriptor     `json:"config"`
	Subject      *v1.Descriptor    `json:"subject"`
	Annotations  map[string]string `json:"annotations"`
}

// parseReferrer reads a manifest that refers to a subject; ok is false for any other.
func parseReferrer(body []byte) (m referrer, ok bool) {
	if len(body) > maxManifest || json.Unmarshal(body, &m) != nil || m.Subject == nil {
		return m, false
	}
	return m, delivery.Digest(m.Subject.Digest.String()).Valid()
}

func (r *Registry) listReferrers(w http.ResponseWriter, repository string, subject delivery.Digest) {
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{}}
	dir := r.referrersDir(repository, subject)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	for _, entry := range entries {
		digest := delivery.DigestFromHex(entry.Name())
		if !digest.Valid() || !r.hasManifest(repository, digest) {
			continue
		}
		var d v1.Descriptor
		raw, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err == nil {
			err = json.Unmarshal(raw, &d)
		}
		if err != nil || d.Digest != v1Hash(digest) {
			http.Error(w, "the entry of "+digest.Short()+" is corrupt", http.StatusInternalServerError)
			return
		}
		index.Manifests = append(index.Manifests, d)
	}
	sort.Slice(index.Manifests, func(i, j int) bool {
		return index.Manifests[i].Digest.Hex < index.Manifests[j].Digest.Hex
	})
	w.Header().Set("Content-Type", string(types.OCIImageIndex))
	_ = json.NewEncoder(w).Encode(index) // the client is gone
}

func (r *Registry) referrersDir(repository string, subject delivery.Digest) string {
	return filepath.Join(r.repositoryDir(repository), "_referrers", "sha256", subject.Hex())
}

// hasManifest reports whether the repository has the manifest, and it was not deleted.
func (r *Registry) hasManifest(repository string, d delivery.Digest) bool {
	_, err := os.Stat(filepath.Join(r.repositoryDir(repository), "_manifests", "revisions", "sha256", d.Hex(), "link"))
	return err == nil
}

func v1Hash(d delivery.Digest) v1.Hash { return v1.Hash{Algorithm: "sha256", Hex: d.Hex()} }
