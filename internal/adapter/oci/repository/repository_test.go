package repository_test

import (
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/oci/repository"
	"github.com/slipway-cd/slipway/internal/fault"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ name, host, path string }{
		{"retail-api", "", "retail-api"},
		{"mlops/retail-api", "", "mlops/retail-api"},
		{"a__b/c.d/e--f_g", "", "a__b/c.d/e--f_g"},
		{"localhost/a", "localhost", "a"},
		{"localhost", "", "localhost"},
		{"localhost:5000/a/b", "localhost:5000", "a/b"},
		{"registry.example.com/a", "registry.example.com", "a"},
		{"127.0.0.1:65535/a", "127.0.0.1:65535", "a"},
		{"[::1]:5000/a", "[::1]:5000", "a"},
		{strings.Repeat("a", 255), "", strings.Repeat("a", 255)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := repository.Parse(c.name)
			if want := (repository.Name{Host: c.host, Path: c.path}); err != nil || got != want {
				t.Errorf("Parse(%q) = %+v, %v, want %+v", c.name, got, err, want)
			}
		})
	}
}

func TestParse_Invalid(t *testing.T) {
	for _, name := range []string{
		"", "/", "/a", "a/", "a//b", "A", "a/B", "a b", "a:tag", "a@sha256:" + strings.Repeat("0", 64), "a..b", "a___b", "-a", "a-", "../a", "a/../b",
		"registry.example.com/", "registry.example.com/A", "Registry.example.com/a", "-x.com/a", "x.com:/a", "x.com:0/a", "x.com:65536/a", "x.com:080/a", "x.com:a/a",
		"[::1]/a", "[::zz]:5000/a", "[127.0.0.1]:5000/a", "user@x.com/a", "http://x.com/a", "a\n", "a/\x00", "ä/b",
		strings.Repeat("a", 256), "x.com/" + strings.Repeat("a", 250),
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := repository.Parse(name); !fault.Is(err, fault.Invalid) {
				t.Errorf("Parse(%q) = %+v, %v, want it refused", name, got, err)
			}
		})
	}
}

func TestValidTag(t *testing.T) {
	for tag, want := range map[string]bool{
		"v1": true, "_": true, "A.b-c_d": true, strings.Repeat("x", 128): true,
		"": false, ".a": false, "-a": false, "a/b": false, "a:b": false, "a b": false, "a\n": false, "ä": false, strings.Repeat("x", 129): false,
	} {
		t.Run(tag, func(t *testing.T) {
			if got := repository.ValidTag(tag); got != want {
				t.Errorf("ValidTag(%q) = %v, want %v", tag, got, want)
			}
		})
	}
}

// FuzzParse: whatever is accepted can't leave a folder, and is its parts.
func FuzzParse(f *testing.F) {
	f.Add("registry.example.com:5000/a/b_c")
	f.Fuzz(func(t *testing.T, s string) {
		n, err := repository.Parse(s)
		if err != nil {
			return
		}
		whole := n.Path
		if n.Host != "" {
			whole = n.Host + "/" + n.Path
		}
		if whole != s || strings.Contains("/"+n.Path+"/", "/../") || strings.HasPrefix(n.Path, "/") || strings.ContainsAny(s, " \\\x00\n@") {
			t.Errorf("Parse(%q) = %+v", s, n)
		}
	})
}
