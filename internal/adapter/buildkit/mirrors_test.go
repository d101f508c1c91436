package buildkit

import (
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
)

func TestMirrors(t *testing.T) {
	all, err := parseMirrors(" docker.io=http://127.0.0.1:5000/, ghcr.io=https://mirror.example.com/hub,docker.io=https://other.example.com ,")
	if err != nil {
		t.Fatal(err)
	}
	const want = `insecure-entitlements = []

[worker.oci]
enabled = true
networkMode = "host"
gc = true

[worker.containerd]
enabled = false

[cdi]
disabled = true

[registry."docker.io"]
mirrors = ["127.0.0.1:5000", "other.example.com"]

[registry."ghcr.io"]
mirrors = ["mirror.example.com/hub"]

[registry."127.0.0.1:5000"]
http = true
`
	if got := daemonConfig(all, false); got != want {
		t.Errorf("configuration:\n%s", got)
	}
	if got := daemonConfig(nil, true); !strings.Contains(got, "rootless = true\nnoProcessSandbox = true\n") || strings.Contains(got, "registry") {
		t.Errorf("an ordinary user's:\n%s", got)
	}
	same, err := parseMirrors("127.0.0.1:5000=http://127.0.0.1:5000")
	if err != nil {
		t.Fatal(err)
	}
	if got := daemonConfig(same, false); strings.Count(got, `[registry."127.0.0.1:5000"]`) != 1 || !strings.HasSuffix(got, "http = true\n") {
		t.Errorf("a registry that is its own mirror:\n%s", got)
	}
}

func TestBadMirrors(t *testing.T) {
	for _, text := range []string{
		"docker.io", "=http://a", "docker.io=", "docker.io=127.0.0.1:5000", "docker.io=ftp://a", "docker.io=http://", "docker.io=http://u:p@a",
		"docker.io=http://a?x=y", "docker.io=http://a#b", "docker.io\"]\n=http://a", "docker.io=http://a\"b", "docker.io=http://a/\"]", "a b=http://c",
	} {
		if all, err := parseMirrors(text); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
			t.Errorf("%q: %v, %v", text, all, err)
		}
	}
}

func FuzzMirrors(f *testing.F) {
	f.Add("docker.io=http://127.0.0.1:5000,ghcr.io=https://m/x")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseMirrors(text)
		if err != nil {
			return
		}
		for line := range strings.Lines(daemonConfig(all, false)) {
			if strings.Count(line, `"`)%2 != 0 || strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\\\x00\r") {
				t.Errorf("%q writes %q", text, line)
			}
		}
	})
}
