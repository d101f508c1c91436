package environ

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestInherits_NoSecret: no program inherits a variable that is known to hold a secret.
func TestInherits_NoSecret(t *testing.T) {
	text, err := os.ReadFile("testdata/secrets.txt")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for line := range strings.Lines(string(text)) {
		name := strings.TrimSpace(line)
		if name == "" || strings.HasPrefix(name, "#") {
			continue
		}
		count++
		if Inherits(name) {
			t.Errorf("%s is inherited, want it not to be", name)
		}
	}
	if count < 150 {
		t.Errorf("testdata/secrets.txt has %d names, want at least 150", count)
	}
}

// TestInherits_NameOfNoSecret: nothing is on the list whose name says that it signs in.
func TestInherits_NameOfNoSecret(t *testing.T) {
	for name := range inherited {
		for _, word := range []string{"TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "API_KEY", "PRIVATE_KEY", "USERNAME", "ACCESS_KEY"} {
			if strings.Contains(name, word) {
				t.Errorf("%s is inherited, though its name contains %s", name, word)
			}
		}
	}
}

func TestInherited(t *testing.T) {
	all := []string{"PATH=/bin", "GOFLAGS=-x", "GOOGLE_CREDENTIALS={}", "UV_PUBLISH_TOKEN=pypi", "=C:=x", "SSH_AUTH_SOCK=/s", "LC_ALL=C", "EMPTY", "HOME="}
	for _, tt := range []struct {
		name string
		more []string
		want []string
	}{
		{"alone", nil, []string{"PATH=/bin", "GOFLAGS=-x", "LC_ALL=C", "HOME="}},
		{"with one by name", []string{"SSH_AUTH_SOCK"}, []string{"PATH=/bin", "GOFLAGS=-x", "SSH_AUTH_SOCK=/s", "LC_ALL=C", "HOME="}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Inherited(all, tt.more...)); diff != "" {
				t.Errorf("variables (-want +got):\n%s", diff)
			}
		})
	}
}
