package app

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/slipway-cd/slipway/internal/config"
)

// TestSecrets_OfVariables: whatever a ${NAME} of the file resolves to is kept out of
// logs, but for what hides nothing.
func TestSecrets_OfVariables(t *testing.T) {
	const file = `version: 1
service: api
test: [{name: unit, run: "true", env: {X: "${NAME}", Y: "a ${NAME:-fallback} b", Z: "${}${1}${NAME"}}]
environments: {canary: {}}
`
	for name, c := range map[string]struct {
		value  string
		secret bool
	}{
		"password":                  {"hunter2-of-the-database", true},
		"short password":            {"s3cr", true},
		"word in the file":          {"canary", false},
		"default in the file":       {"fallback", false},
		"ordinary word":             {"Debug", false},
		"port":                      {"8080", false},
		"long number":               {"123456", true},
		"folder that exists":        {"/", false},
		"file beside the file":      {"./slipway.yaml", false},
		"path that does not exist":  {"/p4th/like/s3cr3t", true},
		"commit of the CI":          {"0123456789012345678901234567890123456789", false},
		"empty":                     {"", false},
		"token with a dot and dash": {"a.b/c-token", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := &session{app: &App{Environ: []string{"NAME=" + c.value, "GITHUB_SHA=0123456789012345678901234567890123456789"}}}
			s.workspace.Repository = t.TempDir()
			if err := os.WriteFile(filepath.Join(s.workspace.Repository, config.FileName), []byte(file), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := s.variables(); slices.Contains(got, c.value) != c.secret {
				t.Errorf("secrets = %q with NAME=%q, want it among them: %v", got, c.value, c.secret)
			}
		})
	}
}
