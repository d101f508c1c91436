package buildkit

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client"
)

// TestSharedCache: what pull requests write is read by pull requests only.
func TestSharedCache(t *testing.T) {
	refs := func(all []client.CacheOptionsEntry) (out []string) {
		for _, e := range all {
			out = append(out, e.Attrs["ref"])
		}
		return out
	}
	for _, c := range []struct {
		name, ref, dir    string
		imports, exported []string
	}{
		{"none", "", "/cache/untrusted", nil, nil},
		{"push", "r.example.com/cache", "/cache/trusted", []string{"r.example.com/cache"}, []string{"r.example.com/cache"}},
		{"builder's own folder", "r.example.com/cache", "", []string{"r.example.com/cache"}, []string{"r.example.com/cache"}},
		{"pull request", "r.example.com:5000/cache", "/cache/untrusted", []string{"r.example.com:5000/cache:pull-requests", "r.example.com:5000/cache"}, []string{"r.example.com:5000/cache:pull-requests"}},
		{"pull request with a tag", "r.example.com/cache:v2", "/cache/untrusted", []string{"r.example.com/cache:v2-pull-requests", "r.example.com/cache:v2"}, []string{"r.example.com/cache:v2-pull-requests"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			imports, exports := sharedCache(c.ref, c.dir)
			if diff := cmp.Diff(c.imports, refs(imports)); diff != "" {
				t.Errorf("imports (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.exported, refs(exports)); diff != "" {
				t.Errorf("exports (-want +got):\n%s", diff)
			}
		})
	}
}
