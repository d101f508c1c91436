//go:build linux

package attack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Test1: whoever writes to a repository, or to a folder above the user's, ran programs
// with the user's rights and secrets by commands that are said to change nothing.
func Test1(t *testing.T) {
	t.Run("exec plugin of a kubeconfig", func(t *testing.T) {
		l := newLab(t)
		mark := l.nameKubeconfig(filepath.Join(l.repo, "kc"))
		l.commit("a cluster")
		for _, command := range []string{"status --env prod", "plan --env prod", "verify --env prod", "logs --env prod", "down --env prod"} {
			r := l.with("AWS_SECRET_ACCESS_KEY=hunter2").slipway(strings.Fields(command)...)
			if l.exists(mark) {
				t.Errorf("%s ran the program of the kubeconfig: %s", command, l.read(mark))
				_ = os.Remove(mark)
			}
			if command == "status --env prod" {
				r.wantExit(1).wantText("is in the repository", "$KUBECONFIG")
			}
		}
	})
	t.Run("file sent as a token", func(t *testing.T) {
		l := newLab(t)
		l.nameKubeconfig(filepath.Join(l.repo, "kc"))
		l.write("kc", strings.Replace(l.read(filepath.Join(l.repo, "kc")), "exec:", "tokenFile: /etc/hostname\n    x-exec:", 1))
		l.commit("a cluster")
		l.slipway("status", "--env", "prod").wantExit(1).wantText("sends the content of /etc/hostname", "$KUBECONFIG")
	})
	t.Run("slipway.yaml of another user", func(t *testing.T) {
		l := newLab(t)
		other := l.as(attackerUID)
		shared := filepath.Join(l.base, "shared")
		below := filepath.Join(shared, "mine")
		l.must(os.MkdirAll(below, 0o755))
		l.must(os.WriteFile(filepath.Join(shared, "slipway.yaml"), []byte(l.read(filepath.Join(l.repo, "slipway.yaml"))), 0o644))
		other.give(filepath.Join(shared, "slipway.yaml"))
		for _, command := range []string{"status", "up", "cleanup", "down --all"} {
			l.in(below).slipway(strings.Fields(command)...).wantExit(1).wantText("belongs to another user", "safe.directory")
		}
		if l.exists(filepath.Join(shared, ".slipway")) {
			t.Error("a state folder was made beside the other user's slipway.yaml")
		}
	})
	t.Run("filter of git", func(t *testing.T) {
		l := newLab(t)
		l.write(".gitattributes", "*.py filter=x\n")
		l.write("a.py", "a\n")
		l.commit("attributes")
		mark := filepath.Join(l.base, "ran")
		l.git("config", "filter.x.clean", "sh -c 'id >>"+mark+"; cat'")
		l.write("a.py", "b\n")
		l.slipway("plan", "--env", "prod", "--allow-dirty")
		l.write("a.py", "a\n")
		l.slipway("plan", "--env", "prod").wantExit(0)
		if l.exists(mark) {
			t.Errorf("plan ran the filter: %s", l.read(mark))
		}
	})
}

// TestOwners: what has to go on working beside the refusals of Test1.
func TestOwners(t *testing.T) {
	l := newLab(t)
	l.as(victimUID).give(l.repo)
	l.slipway("status").wantExit(1).wantText("belongs to another user (uid 54001", "safe.directory")
	for name, variables := range map[string][]string{
		"sudo":           {"SUDO_UID=54001"},
		"a job's":        {"GITHUB_ACTIONS=true", "GITHUB_WORKSPACE=" + l.repo},
		"safe.directory": {"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=" + l.repo},
	} {
		t.Run(name, func(t *testing.T) { l.with(variables...).slipway("status").wantExit(0) })
	}
	t.Run("another job's", func(t *testing.T) {
		l.with("GITHUB_ACTIONS=true", "GITHUB_WORKSPACE=/elsewhere").slipway("status").wantExit(1)
	})
	t.Run("a workspace without a job", func(t *testing.T) { l.with("GITHUB_WORKSPACE=" + l.repo).slipway("status").wantExit(1) })
}

// nameKubeconfig writes a kubeconfig that runs a program, and lets prod use it. It
// returns the file that the program leaves.
func (l *lab) nameKubeconfig(path string) (mark string) {
	l.t.Helper()
	mark = filepath.Join(l.base, "ran")
	l.must(os.WriteFile(path, []byte(`apiVersion: v1
kind: Config
current-context: x
contexts: [{name: x, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users:
- name: u
  user:
    exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: sh, args: ["-c", "(id; env | grep SECRET) >>`+mark+`"]}
`), 0o600))
	file := l.read(filepath.Join(l.repo, "slipway.yaml"))
	before, _, ok := strings.Cut(file, "  prod:")
	if !ok {
		l.t.Fatal("slipway.yaml has no prod")
	}
	l.write("slipway.yaml", strings.Replace(before, "repository: ", "repository: registry.example.com/", 1)+`  prod:
    target: {kubernetes: {kubeconfig: `+path+`, namespace: x}}
`)
	return mark
}
