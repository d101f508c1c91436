//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/e2e/builder"
)

// Delivers as an unprivileged user, whose BuildKit is root only in a user namespace.
func TestDockerfile_Rootless(t *testing.T) {
	t.Parallel()
	tools := builder.Require(t)
	for _, name := range []string{"rootlesskit", "newuidmap", "unshare", "setpriv"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not in PATH (Debian: apt-get install rootlesskit uidmap util-linux)", name)
		}
	}
	if out, err := exec.Command("setpriv", "--reuid", fmt.Sprint(unprivilegedUID), "--clear-groups", "unshare", "--user", "true").CombinedOutput(); err != nil {
		t.Skipf("users may not have user namespaces here: %v: %s", err, out)
	}
	p := newDockerfileProject(t)
	daemon := filepath.Join(p.base, "buildkitd") // bin may be closed to other users
	raw, err := os.ReadFile(tools.Daemon)
	p.must(err)
	p.must(os.WriteFile(daemon, raw, 0o755))
	p.runAs(unprivilegedUID)
	p.subordinate(unprivilegedUID)
	p.env = append(p.env, "SLIPWAY_BUILDKITD="+daemon)

	first := p.run().wantRun(0, "deployed")
	p.wantDeployed(first.report.Release)
	p.run().wantRun(0, "skipped")
	if again := p.run("--until", "build").wantExit(0); !again.step("build").Cached {
		t.Errorf("build of the unchanged commit = %+v, want it cached", again.step("build"))
	}
	running := p.processes("buildkitd")
	if len(running) == 0 {
		t.Error("no BuildKit runs")
	}
	for _, proc := range running {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", proc.pid))
		if err == nil && !strings.Contains(string(status), fmt.Sprintf("\nUid:\t%d\t", unprivilegedUID)) {
			t.Errorf("%s (%d) is another user's:\n%s", proc.command, proc.pid, status)
		}
	}
	p.checkBuilderStops()
}

// subordinate gives the user a name and subordinate ids, as useradd would, but only
// for Slipway and its child processes.
func (p *project) subordinate(uid int) {
	p.t.Helper()
	ids := fmt.Sprintf("ordinary:%d:65536\n", 1<<20)
	var mounts strings.Builder
	for file, line := range map[string]string{
		"/etc/passwd": fmt.Sprintf("ordinary:x:%d:%d::%s:/bin/sh\n", uid, uid, filepath.Join(p.base, "home")),
		"/etc/group":  fmt.Sprintf("ordinary:x:%d:\n", uid),
		"/etc/subuid": ids, "/etc/subgid": ids,
	} {
		before, err := os.ReadFile(file)
		p.must(err)
		copied := filepath.Join(p.base, filepath.Base(file))
		p.must(os.WriteFile(copied, append(before, line...), 0o644))
		fmt.Fprintf(&mounts, "mount --bind %s %s && ", copied, file)
	}
	p.credential, p.wrapper = nil, []string{
		"unshare", "--mount", "sh", "-c", mounts.String() + `exec setpriv --reuid "$0" --regid "$0" --clear-groups -- "$@"`, fmt.Sprint(uid),
	}
}
