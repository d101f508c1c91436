package box

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/port"
)

// machineWith is a machine on which these paths exist; "a -> b" is a symbolic link.
func machineWith(home, path string, paths ...string) Machine {
	resolved := map[string]string{}
	for _, p := range append(paths, home, "/tmp", "/var/tmp", "/run", "/var/run -> /run", "/root", "/home", "/usr/bin", "/bin -> /usr/bin") {
		from, to, ok := strings.Cut(p, " -> ")
		if !ok {
			to = from
		}
		resolved[from] = to
	}
	return Machine{Home: home, Path: filepath.SplitList(path), Resolve: func(p string) string { return resolved[filepath.Clean(p)] }}
}

// written lists the mounts of a plan.
func written(p Plan) (lines []string) {
	for _, m := range p.Mounts {
		text := string(m.Action) + " " + m.To
		if m.From != "" && m.From != m.To {
			text += " = " + m.From
		}
		lines = append(lines, text)
	}
	return lines
}

// always are the mounts of every box.
var always = []string{"proc /proc", "devices /dev", "empty /tmp", "empty /var/tmp", "empty /run", "empty /root", "empty /home"}

func TestNewPlan(t *testing.T) {
	laptop := machineWith("/home/u", "/home/u/.pyenv/shims:/home/u/.local/bin:/home/u/bin:/home/u/shop/bin:/home/u/shop:/bin:/usr/bin",
		"/home/u/.pyenv", "/home/u/.local/bin", "/home/u/bin", "/home/u/shop", "/home/u/shop/bin", "/home/u/shop/.slipway", "/home/u/shop/.slipway/work/src")
	laptop.Hidden = []string{"/home/u/shop", "/home/u/shop/.slipway"}
	job := machineWith("/github/home", "/usr/bin", "/__w/shop", "/__w/shop/.slipway", "/__w/shop/.slipway/src", "/__w/shop/data")
	job.Hidden = []string{"/__w/shop", "/__w/shop/.slipway"}
	system := machineWith("/home/u", "/usr/bin", "/", "/usr", "/etc")
	system.Hidden = []string{"/", "/usr", "/etc"}
	for _, c := range []struct {
		name    string
		box     port.Box
		machine Machine
		home    string
		want    []string
	}{
		{"laptop", port.Box{Write: []string{"/home/u/shop/.slipway/work/src"}}, laptop, "/home/u", []string{
			"read-only /home/u/.local/bin", "read-only /home/u/.pyenv", "read-only /home/u/.pyenv", "read-only /home/u/.local/bin",
			"read-only /home/u/bin", "read-only /home/u/shop/bin", "writable /home/u/shop/.slipway/work/src",
		}},
		{"job of CI in a container", port.Box{Write: []string{"/__w/shop/.slipway/src"}, Read: []string{"/__w/shop/data"}}, job, "/github/home", []string{
			"empty /github/home", "empty /__w/shop", "read-only /__w/shop/data", "writable /__w/shop/.slipway/src",
		}},
		{"user without a home", port.Box{}, machineWith("/", "/usr/bin"), "/tmp/home", nil},
		{"home that is not set", port.Box{}, machineWith("", "/usr/bin"), "/tmp/home", nil},
		{"caches", port.Box{Cache: "/c"}, machineWith("/home/u", "/usr/bin", "/home/u/.local/share/uv"), "/home/u", []string{
			"writable /home/u/.cache = /c/.cache", "writable /home/u/go = /c/go", "writable /home/u/.npm = /c/.npm", "writable /home/u/.m2 = /c/.m2",
			"writable /home/u/.gradle = /c/.gradle", "writable /home/u/.cargo/registry = /c/.cargo/registry", "writable /home/u/.cargo/git = /c/.cargo/git",
			"writable /home/u/.conda/pkgs = /c/.conda/pkgs", "writable /home/u/.nuget = /c/.nuget", "read-only /home/u/.local/share/uv",
		}},
		{"data behind a link in the home", port.Box{Read: []string{"/home/u/data"}}, machineWith("/home/u", "/usr/bin", "/home/u/data -> /big/data", "/big/data"), "/home/u",
			[]string{"read-only /home/u/data = /big/data"}},
		{"folders of programs that are homes", port.Box{}, machineWith("/home/u", "/home/u:/home:/:/home/u/bin", "/home/u/bin", "/"), "/home/u", []string{"read-only /home/u/bin"}},
		{"names of hosts", port.Box{}, machineWith("/home/u", "/usr/bin", "/run/systemd/resolve"), "/home/u", []string{"read-only /run/systemd/resolve"}},
		{"repository that is the system", port.Box{}, system, "/home/u", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := NewPlan(c.box, c.machine)
			if diff := cmp.Diff(append(append([]string{}, always...), c.want...), written(p)); diff != "" {
				t.Errorf("mounts (-want +got):\n%s", diff)
			}
			if p.Home != c.home {
				t.Errorf("home = %q, want %q", p.Home, c.home)
			}
		})
	}
}

func TestPlan_Environ(t *testing.T) {
	p := NewPlan(port.Box{Write: []string{"/w"}}, machineWith("/home/u", "/usr/bin", "/w"))
	got := p.Environ([]string{"HOME=/elsewhere", "TMPDIR=/scratch", "GOCACHE=/home/u/.cache/go", "PIP_CACHE_DIR=/w/pip", "UV_CACHE_DIR=/var/cache/uv", "TOKEN=x"})
	want := []string{"GOCACHE=/home/u/.cache/go", "PIP_CACHE_DIR=/w/pip", "TOKEN=x", "HOME=/home/u"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}
