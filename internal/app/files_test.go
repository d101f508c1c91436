package app

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
)

// sessionWithSmoke is a session whose checks send that file of a new repository.
func sessionWithSmoke(t *testing.T, file string) *session {
	t.Helper()
	p, err := config.Parse(config.FileName, []byte(`
version: 1
service: api
image: {build: {go: .}, repository: api}
deploy: {smoke: [{name: image, post: /predict, file: "`+file+`", headers: {Authorization: "Bearer ${API_TOKEN}"}}]}
environments: {prod: {target: {local: {}}}}
`), nil, kinds())
	if err != nil {
		t.Fatal(err)
	}
	return &session{app: &App{Environ: []string{"API_TOKEN=tok-0123456789"}}, project: p, workspace: Workspace{Repository: t.TempDir()}}
}

func TestFindSmokeFiles(t *testing.T) {
	for _, c := range []struct {
		name    string
		file    string
		content string // "": the file does not exist
		commit  []string
		want    fault.Kind
		says    string
	}{
		{"in the commit", "tests/a.png", "\x89PNG", []string{"tests/a.png"}, "", ""},
		{"written differently", "./tests/a.png", "\x89PNG", []string{"tests/a.png"}, "", ""},
		{"a rollback has no commit to look at", "tests/a.png", "\x89PNG", nil, "", ""},
		{"not committed", "tests/a.png", "\x89PNG", []string{"main.go"}, fault.NotFound, "not part of the commit"},
		{"missing", "tests/a.png", "", nil, fault.NotFound, "tests/a.png"},
		{"too large", "tests/a.png", strings.Repeat("x", maxSmokeFile+1), []string{"tests/a.png"}, fault.Invalid, "more than 256 KiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := sessionWithSmoke(t, c.file)
			if c.content != "" {
				path := filepath.Join(s.workspace.Repository, "tests", "a.png")
				if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var f plan.Facts
			for _, name := range c.commit {
				f.Files = append(f.Files, port.File{Path: name})
			}
			err := s.findSmokeFiles(t.Context(), &f, "prod")
			if c.want != "" {
				if !fault.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("error = %v, want %s with %q", err, c.want, c.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]string{c.file: c.content}, f.SmokeFiles); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSecrets_OfHeaders: a service that sends its request's headers back does not get
// them into a log.
func TestSecrets_OfHeaders(t *testing.T) {
	s := sessionWithSmoke(t, "a.png")
	if got := s.secrets(); !slices.Contains(got, "tok-0123456789") {
		t.Errorf("secrets = %q, want the value of API_TOKEN among them", got)
	}
}
