package git

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCleanEnviron(t *testing.T) {
	all := []string{
		"PATH=/bin", "HOME=/h", "LANG=de_DE", "LC_ALL=de_DE", "GIT_DIR=/hook", "GIT_INDEX_FILE=/hook/index", "GIT_CONFIG_GLOBAL=/g", "GIT_CONFIG_COUNT=0",
		"https_proxy=p", "SSH_AUTH_SOCK=/s", "GITHUB_TOKEN=secret", "COSIGN_PASSWORD=secret", "DATABASE_URL=secret", "GOOGLE_CREDENTIALS=secret",
	}
	always := []string{"GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C", "PATH=/bin", "HOME=/h", "GIT_CONFIG_GLOBAL=/g", "GIT_CONFIG_COUNT=0", "https_proxy=p"}
	for _, c := range []struct {
		name    string
		fetches bool
		want    []string
	}{
		{"what only looks", false, always},
		{"a fetch", true, append(append([]string{}, always...), "SSH_AUTH_SOCK=/s", "GITHUB_TOKEN=secret")},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, cleanEnviron(all, c.fetches)); diff != "" {
				t.Errorf("variables (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCleanEnviron_NoSecret: git that only looks gets no variable that is known to hold
// a secret.
func TestCleanEnviron_NoSecret(t *testing.T) {
	text, err := os.ReadFile("../../environ/testdata/secrets.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name := strings.TrimSpace(line)
		if name == "" || strings.HasPrefix(name, "#") || strings.HasPrefix(name, "GIT_CONFIG") { // the last are settings of git itself
			continue
		}
		if got := cleanEnviron([]string{name + "=secret"}, false); len(got) != 3 {
			t.Errorf("git gets %s", got[3:])
		}
	}
}
