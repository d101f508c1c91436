package buildkit

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/fault"
)

func TestDaemonConfig(t *testing.T) {
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
	if diff := cmp.Diff(want, daemonConfig(all, false)); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	rootless := daemonConfig(nil, true)
	if want := "rootless = true\nnoProcessSandbox = true\n"; !strings.Contains(rootless, want) {
		t.Errorf("the rootless configuration does not contain %q:\n%s", want, rootless)
	}
	if strings.Contains(rootless, "registry") {
		t.Errorf("the configuration without mirrors has a registry:\n%s", rootless)
	}
	same, err := parseMirrors("127.0.0.1:5000=http://127.0.0.1:5000")
	if err != nil {
		t.Fatal(err)
	}
	got := daemonConfig(same, false)
	if n := strings.Count(got, `[registry."127.0.0.1:5000"]`); n != 1 {
		t.Errorf("a registry that is its own mirror has %d sections, want 1:\n%s", n, got)
	}
	if !strings.HasSuffix(got, "http = true\n") {
		t.Errorf("a registry that is its own mirror lacks http = true:\n%s", got)
	}
}

func TestParseMirrors_Invalid(t *testing.T) {
	for _, text := range []string{
		"docker.io", "=http://a", "docker.io=", "docker.io=127.0.0.1:5000", "docker.io=ftp://a", "docker.io=http://", "docker.io=http://u:p@a",
		"docker.io=http://a?x=y", "docker.io=http://a#b", "docker.io\"]\n=http://a", "docker.io=http://a\"b", "docker.io=http://a/\"]", "a b=http://c",
	} {
		t.Run(text, func(t *testing.T) {
			all, err := parseMirrors(text)
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("parseMirrors(%q) = %v, %v, want an error of kind %v", text, all, err, fault.Invalid)
			}
			if fault.HintOf(err) == "" {
				t.Errorf("error %v has no hint", err)
			}
		})
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
				t.Errorf("mirrors %q: invalid line %q in the configuration", text, line)
			}
		}
	})
}
