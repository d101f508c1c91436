package awstest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
)

// ServeImages makes h, a registry of images, the data plane of ECR. It is asked only
// what ECR admits.
func (c *Cloud) ServeImages(h http.Handler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.images = h
}

var imagePath = regexp.MustCompile(`^/v2/(.+)/(manifests|blobs|tags|referrers)/(.*)$`)

// serveRegistry is the data plane: tokens, repositories that exist, tags that stay,
// archived images that can't be pulled.
func (c *Cloud) serveRegistry(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	_, password, ok := r.BasicAuth()
	login, known := c.passwords[password]
	ok, images := ok && known && c.clock().Before(login.expires), c.images
	c.mu.Unlock()
	if images == nil {
		http.Error(w, "awstest has no registry of images: see ServeImages", http.StatusNotFound)
		return
	}
	if !ok {
		w.Header().Set("Www-Authenticate", `Basic realm="https://`+c.RegistryHost()+`/",service="ecr.amazonaws.com"`)
		http.Error(w, "Not Authorized", http.StatusUnauthorized)
		return
	}
	m := imagePath.FindStringSubmatch(r.URL.Path)
	if m == nil {
		images.ServeHTTP(w, r)
		return
	}
	name, kind, reference := m[1], m[2], m[3]
	c.mu.Lock()
	denied := c.authorizeImage(login.principal, r.Method, name, kind)
	c.mu.Unlock()
	if denied != nil {
		registryError(w, http.StatusForbidden, "DENIED", errorOf(denied).Message)
		return
	}
	repo := c.pushedTo(name, r.Method)
	switch {
	case repo == nil:
		registryError(w, http.StatusNotFound, "NAME_UNKNOWN", "The repository with name '"+name+"' does not exist in the registry with id '"+c.Account+"'")
	case r.Method == http.MethodDelete:
		registryError(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "ECR deletes by BatchDeleteImage")
	case kind == "manifests" && r.Method == http.MethodPut:
		c.putManifest(w, r, repo, reference)
	case kind == "manifests" && c.archived(repo, reference):
		registryError(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "Requested image not found") // as AWS answers for what it archived
	default:
		images.ServeHTTP(w, r)
	}
}

// CreateOnPush makes pushing create repositories with the settings of r, as a creation
// template with CREATE_ON_PUSH does.
func (c *Cloud) CreateOnPush(r Repository) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onPush = &r
}

// pushedTo returns the repository, which pushing may create; nil: there is none.
func (c *Cloud) pushedTo(name, method string) *Repository {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.repos[name] == nil && c.onPush != nil && method != http.MethodGet && method != http.MethodHead {
		r := *c.onPush
		r.Name = name
		return c.addRepository(r)
	}
	return c.repos[name]
}

func registryError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{map[string]string{"code": code, "message": message}}})
}

func (c *Cloud) archived(repo *Repository, reference string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := imageID{ImageTag: reference}
	if strings.HasPrefix(reference, "sha256:") {
		id = imageID{ImageDigest: reference}
	}
	image, err := repo.find(id)
	return err == nil && image.status() != "ACTIVE"
}

func (c *Cloud) putManifest(w http.ResponseWriter, r *http.Request, repo *Repository, reference string) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		registryError(w, http.StatusRequestEntityTooLarge, "SIZE_INVALID", err.Error())
		return
	}
	mediaType := r.Header.Get("Content-Type")
	if strings.Contains(mediaType, ";") {
		registryError(w, http.StatusBadRequest, "MANIFEST_INVALID", "invalid media type "+mediaType)
		return
	}
	digest := "sha256:" + hash(body)
	c.mu.Lock()
	defer c.mu.Unlock()
	if strings.HasPrefix(reference, "sha256:") && reference != digest {
		registryError(w, http.StatusBadRequest, "DIGEST_INVALID", "the manifest has the digest "+digest)
		return
	}
	_, exists := repo.images[digest]
	if !exists {
		repo.images[digest] = &Image{Digest: digest, MediaType: mediaType, Size: int64(len(body)), PushedAt: c.clock()}
		if repo.ScanOnPush {
			c.scan(repo, repo.images[digest])
		}
	}
	if !strings.HasPrefix(reference, "sha256:") {
		if err := repo.setTag(digest, reference); err != nil {
			if !exists {
				delete(repo.images, digest)
			}
			registryError(w, http.StatusBadRequest, "TAG_INVALID", errorOf(err).Message)
			return
		}
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	c.images.ServeHTTP(w, r)
}
