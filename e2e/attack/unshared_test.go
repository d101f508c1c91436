//go:build linux

package attack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// newBuiltService returns a service of the victim, whose image is built already: an empty
// build cache takes a minute.
func newBuiltService(t *testing.T) *lab {
	t.Helper()
	l := newService(t)
	victim := l.as(victimUID)
	l.slipway("run", "--env", "prod", "--until", "build").wantExit(0)
	victim.give(l.repo)
	return victim
}

// unshared runs a command of Slipway as root of a user namespace that maps one user,
// after the script that prepares it.
func (l *lab) unshared(prepare string, args ...string) result {
	l.t.Helper()
	script := prepare + `exec "$0" "$@"`
	r := l.run(append([]string{"unshare", "-r", "sh", "-c", script, os.Getenv(programEnv)}, args...)...)
	if strings.Contains(r.stderr, "unshare failed") {
		l.t.Skip(r.stderr)
	}
	return r
}

// TestUnshared: root of a user namespace with one user in it, as `unshare -r` makes it,
// can't be anybody else: a deploy works as an ordinary user's.
func TestUnshared(t *testing.T) {
	l := newBuiltService(t)
	l.edit("slipway.yaml", "service:", "box: own\ntest: [{name: who, run: 'id -u'}]\nservice:")
	l.commit("look at the user")
	l.unshared("", "run", "--env", "prod").wantExit(0)
	t.Cleanup(func() { l.unshared("", "down", "--env", "prod") })
	l.unshared("", "logs", "latest", "test.who").wantText("0\n")
	if text, err := l.get(l.address()); err != nil || !strings.Contains(text, "the service") {
		t.Errorf("the service responds with %q, error = %v", text, err)
	}
}

// TestUnshared_NoNamespaces: where the kernel makes no user namespaces, what needs one is
// refused with the name of the setting, and nothing runs without the box that it needs.
func TestUnshared_NoNamespaces(t *testing.T) {
	const forbid = "echo 0 >/proc/sys/user/max_user_namespaces || exit 77; "
	const setting, hint = "user.max_user_namespaces = 0", "sysctl -w user.max_user_namespaces"
	l := newBuiltService(t)
	l.edit("slipway.yaml", "service:", "box: none\ntest: [{name: who, run: 'id -u'}]\nservice:")
	l.commit("look at the user")
	policy := filepath.Join(l.home, "policy.yaml")
	l.run("sh", "-c", "printf 'version: 1\\nrequire: {box: true}\\n' >"+policy).wantExit(0)
	l.unshared(forbid, "plan", "--env", "prod").wantExit(0).wantText("box: none, commands run as this user\n")
	l.with("SLIPWAY_POLICY="+policy).unshared(forbid, "run", "--env", "prod").wantExit(1).wantText("step test.who", "needs a box", policy, setting, hint)
	l.edit("slipway.yaml", "box: none", "box: own")
	l.commit("a box, always")
	l.unshared(forbid, "run", "--env", "prod").wantExit(1).wantText("needs a box (box: own)", setting, hint)
	l.edit("slipway.yaml", "box: own", "box: auto")
	l.commit("a box, where possible")
	l.unshared(forbid, "plan", "--env", "prod").wantExit(0).wantText("box: none, commands run as this user: ", setting)
	l.unshared(forbid, "run", "--env", "prod").wantExit(3).wantText("test.who", "create a container", setting, hint)
	l.unshared(forbid, "logs", "latest", "test.who").wantText("without a box", setting)
}

// TestRoot_OnFilesOfOthers: a job of CI runs as root in a container, on a checkout of
// user 1001.
func TestRoot_OnFilesOfOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	l := newService(t)
	l.edit("slipway.yaml", "service:", "box: own\ntest: [{name: write, run: 'echo x >made && chown 1001 made && echo y >>made && cat made'}]\nservice:")
	l.commit("write")
	l.must(chownAll(l.repo, 1001))
	trusted := filepath.Join(l.home, "gitconfig") // as actions/checkout writes it
	l.must(os.WriteFile(trusted, []byte("[safe]\n\tdirectory = "+l.repo+"\n"), 0o600))
	l = l.with("GIT_CONFIG_GLOBAL="+trusted, "GITHUB_ACTIONS=true", "GITHUB_WORKSPACE="+l.repo, "GITHUB_EVENT_NAME=push", "GITHUB_REF_TYPE=branch", "GITHUB_REF_NAME=main")
	l.slipway("run", "--env", "prod").wantExit(0)
	t.Cleanup(func() { l.slipway("down", "--env", "prod") })
	l.slipway("logs", "latest", "test.write").wantText("x\ny\n")
	if text, err := l.get(l.address()); err != nil || !strings.Contains(text, "the service") {
		t.Errorf("the service responds with %q, error = %v", text, err)
	}
}

func chownAll(path string, uid int) error {
	return filepath.WalkDir(path, func(path string, _ os.DirEntry, err error) error {
		if err == nil {
			err = os.Lchown(path, uid, uid)
		}
		return err
	})
}
