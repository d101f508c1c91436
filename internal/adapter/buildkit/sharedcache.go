package buildkit

import (
	"path/filepath"
	"strings"

	"github.com/moby/buildkit/client"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// untrustedTag is where builds of pull requests keep layers, in the repository of the
// others.
const untrustedTag = "pull-requests"

// sharedCache returns where a build takes layers from and puts them, outside of BuildKit.
// A layer is found by its instruction and what went into that, which is less than what
// decides its content: a proxy or a secret that a pull request sets is not part of it. So
// pull requests read the layers of others, and no other build reads theirs.
func sharedCache(ref, cacheDir string) (imports, exports []client.CacheOptionsEntry) {
	if ref == "" {
		return nil, nil
	}
	refs := []string{ref}
	if filepath.Base(cacheDir) == string(delivery.Untrusted) {
		refs = []string{untrustedRef(ref), ref}
	}
	for _, r := range refs {
		imports = append(imports, client.CacheOptionsEntry{Type: "registry", Attrs: map[string]string{"ref": r}})
	}
	return imports, []client.CacheOptionsEntry{{Type: "registry", Attrs: map[string]string{
		"ref": refs[0], "mode": "max", "oci-mediatypes": "true", "image-manifest": "true",
	}}}
}

// untrustedRef returns the reference of the cache of pull requests beside another one.
func untrustedRef(ref string) string {
	if colon := strings.LastIndexByte(ref, ':'); colon > strings.LastIndexByte(ref, '/') {
		return ref + "-" + untrustedTag
	}
	return ref + ":" + untrustedTag
}
