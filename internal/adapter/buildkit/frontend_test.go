package buildkit

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/slipway-cd/slipway/internal/port"
)

func TestServesSyntax(t *testing.T) {
	cases := []struct {
		ref, version string
		want         bool
	}{
		{"docker/dockerfile:1", "v0.33.1", true},
		{"docker.io/docker/dockerfile:1", "v0.33.1", true},
		{"docker/dockerfile", "v0.33.1", true},
		{"docker/dockerfile:latest", "0.33.1", true},
		{"docker/dockerfile:1.4", "v0.33.1", true},
		{"docker/dockerfile:1.7.1", "v0.13.0", true},
		{"docker/dockerfile:1.8", "v0.13.0", false}, // newer than this BuildKit
		{"docker/dockerfile:1", "v0.12.5+435cb77e369c", true},
		{"docker/dockerfile:1", "v0.11.6", false},
		{"docker/dockerfile:1", "unknown", false},
		{"docker/dockerfile:2", "v0.33.1", false},
		{"docker/dockerfile:1-labs", "v0.33.1", false},
		{"docker/dockerfile:1.7-labs", "v0.33.1", false},
		{"docker/dockerfile:1@sha256:0123", "v0.33.1", false},
		{"docker/dockerfile-upstream:1", "v0.33.1", false},
		{"example.com/docker/dockerfile:1", "v0.33.1", false},
	}
	for _, c := range cases {
		t.Run(c.ref+" "+c.version, func(t *testing.T) {
			if got := servesSyntax(c.ref, c.version); got != c.want {
				t.Errorf("served = %v, want %v", got, c.want)
			}
		})
	}
}

func TestBuildJob_BuiltinSyntax(t *testing.T) {
	const line = "# syntax=docker/dockerfile:1\n"
	cases := []struct {
		name, dockerfile string
		args             map[string]string
		want             string
	}{
		{"official", line + "FROM scratch\n", nil, "docker/dockerfile:1"},
		{"none", "FROM scratch\n", nil, ""},
		{"not a directive", "FROM scratch\n" + line, nil, ""},
		{"of others", "# syntax=example.com/frontend\nFROM scratch\n", nil, ""},
		{"overridden", line + "FROM scratch\n", map[string]string{syntaxArgument: "example.com/frontend"}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := buildJob{order: port.BuildRequest{Dockerfile: &port.Dockerfile{Args: c.args}}, source: source{dir: t.TempDir(), file: "Dockerfile"}}
			if err := os.WriteFile(filepath.Join(w.source.dir, w.source.file), []byte(c.dockerfile), 0o644); err != nil {
				t.Fatal(err)
			}
			w.syntax = w.builtinSyntax("v0.33.1")
			attribute, set := w.attributes()[cmdlineAttribute]
			if w.syntax != c.want || attribute != c.want || set != (c.want != "") {
				t.Errorf("syntax %q, attribute %q, want %q", w.syntax, attribute, c.want)
			}
		})
	}
}

// TestResolveSource_ContextAroundTheService: with files beside the service the context
// may be a folder around it, but never outside of the checkout.
func TestResolveSource_ContextAroundTheService(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "services", "api")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cases := []struct{ context, root, want string }{
		{"", root, dir}, {"../..", root, root}, {"..", root, filepath.Dir(dir)}, {"../../..", root, ""}, {"../..", "", ""}, {".", "", dir},
	}
	for _, c := range cases {
		t.Run(c.context+" in "+c.root, func(t *testing.T) {
			got, err := resolveSource(port.BuildRequest{Dir: dir, Root: c.root, Dockerfile: &port.Dockerfile{Path: "Dockerfile", Context: c.context}})
			if got.context != c.want || (err != nil) != (c.want == "") {
				t.Errorf("context %q, %v, want %q", got.context, err, c.want)
			}
		})
	}
}
