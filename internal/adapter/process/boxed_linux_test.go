package process_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/adapter/process"
	"github.com/slipway-cd/slipway/internal/adapter/process/box"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// actor is a user who runs commands in boxes.
type actor struct {
	name string
	attr *syscall.SysProcAttr
	uid  int
}

// actors are root, an ordinary user, and root of a user namespace that maps one user, as
// `unshare -r` makes it. An ordinary user can be the first alone.
func actors() []actor {
	self := actor{"this user", &syscall.SysProcAttr{}, os.Geteuid()}
	alone := actor{"unshare -r", &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}, os.Geteuid()}
	if os.Geteuid() != 0 {
		return []actor{self, alone}
	}
	return []actor{self, alone, {"ordinary user", &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 4001, Gid: 4001}}, 4001}}
}

// place is a machine's folders as a run has them.
type place struct {
	root, home, state, checkout, data, cache string
}

func newPlace(t *testing.T, uid int) place {
	t.Helper()
	root := t.TempDir()
	p := place{root, root + "/home", root + "/state", root + "/state/work/src", root + "/data", root + "/cache"}
	for _, dir := range []string{p.home + "/.ssh", p.home + "/.pyenv/shims", p.home + "/.pyenv/versions", p.checkout, p.data, p.cache} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for path, text := range map[string]string{
		p.home + "/.ssh/id": "private", p.state + "/records": "records", p.data + "/x.csv": "1,2",
		p.home + "/.pyenv/shims/tool": "#!/bin/sh\ncat \"${0%/shims/tool}/versions/is\"\n", p.home + "/.pyenv/versions/is": "tool runs\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for dir := root; dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err == nil {
			err = os.Chown(path, uid, uid)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// run runs a command in a box of the place, as the actor, and returns what it prints.
func (p place) run(t *testing.T, a actor, run string) string {
	t.Helper()
	raw, err := json.Marshal(boxed{Run: run, Dir: p.checkout, Hide: []string{p.state}, Box: &port.Box{Write: []string{p.checkout}, Read: []string{p.data}, Cache: p.cache}})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", "boxed", string(raw))
	cmd.Dir, cmd.SysProcAttr = "/", a.attr
	cmd.Env = []string{"HOME=" + p.home, "PATH=" + p.home + "/.pyenv/shims:/usr/local/bin:/usr/bin:/bin", "SECRET=of Slipway", "TMPDIR=/nowhere", "GOCACHE=" + p.home + "/.cache/go-build"}
	out, _ := cmd.CombinedOutput() // the caller looks at the output
	return string(out)
}

// processLimit is what a box has on this kernel; "": root's has none.
func processLimit() string {
	var u unix.Utsname
	var major, minor int
	if unix.Uname(&u) != nil {
		return ""
	}
	if n, _ := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor); n == 2 && (major > 6 || major == 6 && minor >= 14) {
		return "32768\n"
	}
	return ""
}

// TestBox: what a command finds in its box.
func TestBox(t *testing.T) {
	for _, a := range actors() {
		t.Run(a.name, func(t *testing.T) {
			p := newPlace(t, a.uid)
			if out := p.run(t, a, "true"); strings.Contains(out, "error denied") {
				t.Skip(out)
			}
			for _, c := range []struct{ name, run, want string }{
				{"no key of the user", "cat ~/.ssh/id 2>&1", "No such file"},
				{"no state", "ls -A " + p.state, "work\n"},
				{"no record", "cat " + p.state + "/records 2>&1", "No such file"},
				{"the checkout, writable", "echo x > made && cat made", "x\n"},
				{"the data, read-only", "cat " + p.data + "/x.csv; (echo 3 >> " + p.data + "/x.csv) 2>/dev/null || echo refused", "1,2refused"},
				{"the system, read-only", "echo x > /etc/made || echo refused", "refused"},
				{"a tool of the home", "tool", "tool runs\n"},
				{"no change of the tool", "echo x > ~/.pyenv/versions/is || echo refused", "refused"},
				{"a home to write to", "echo x > ~/made && cat ~/made && echo $HOME", "x\n" + p.home + "\n"},
				{"a cache", "mkdir -p ~/.cache/pip && echo kept > ~/.cache/pip/x", ""},
				{"the cache again", "cat ~/.cache/pip/x; echo $GOCACHE", "kept\n" + p.home + "/.cache/go-build\n"},
				{"an empty /tmp", "ls -A /tmp | grep -v '^" + strings.Split(p.root, "/")[2] + "$'; echo \"[$TMPDIR]\"; echo x > /tmp/x && cat /tmp/x", "[]\nx\n"},
				{"shared memory", "echo x > /dev/shm/x && cat /dev/shm/x", "x\n"},
				{"devices", "head -c 4 /dev/urandom | wc -c; echo x > /dev/null; ls /dev/pts/ptmx", "4\n/dev/pts/ptmx\n"},
				{"no other process", "ls -d /proc/[0-9]* | wc -l | awk '{ print ($1 < 8) ? \"few\" : \"many\" }'", "few\n"},
				{"nothing of the first process", "cat /proc/1/environ /proc/1/maps >/dev/null || echo refused", "refused"},
				{"no new rights", "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\n\\t'", "NoNewPrivs:1Seccomp:2"},
				{"no mount", "mount -t tmpfs none /mnt 2>/dev/null || echo refused", "refused"},
				{"a limit of processes", "if [ $(id -u) = 0 ] && [ \"$(cat /proc/self/uid_map | awk '{ print $3 }')\" != 1 ]; then cat /proc/sys/kernel/pid_max; else awk '/^Max processes/ { print $3 }' /proc/self/limits; fi", processLimit()},
				{"no kernel settings", "echo x > /proc/sys/kernel/core_pattern || echo refused", "refused"},
				{"the same user", "id -u", ""},
				{"a compiler", "printf 'int main(){return 0;}' > a.c && cc a.c -o a.out && ./a.out && echo built", "built\n"},
				{"git", "git init -q r && cd r && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x && git rev-list --count HEAD", "1\n"},
			} {
				if out := p.run(t, a, c.run); !strings.Contains(out, c.want) {
					t.Errorf("%s: %s printed %q, want %q", c.name, c.run, out, c.want)
				}
			}
			if raw, err := os.ReadFile(p.cache + "/.cache/pip/x"); err != nil || string(raw) != "kept\n" {
				t.Errorf("the cache holds %q, error = %v, want what the command wrote", raw, err)
			}
			if entries, err := os.ReadDir(p.home); err != nil || len(entries) != 2 {
				t.Errorf("the home has %v, error = %v, want it as it was", entries, err)
			}
		})
	}
}

// TestBox_FilesOfOthers: root in a container works on files of another user, as jobs of
// CI do.
func TestBox_FilesOfOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	p, root := newPlace(t, 1001), actors()[0]
	if out := p.run(t, root, "true"); strings.Contains(out, "error denied") {
		t.Skip(out)
	}
	if out := p.run(t, root, "echo x > made && chown 1001 made && chmod 600 made && echo y >> made && cat made"); out != "x\ny\n" {
		t.Errorf("output = %q, want what root wrote to a folder of user 1001", out)
	}
}

// TestBox_Forbidden: where the kernel makes no user namespaces, nothing runs, and the
// error names the setting.
func TestBox_Forbidden(t *testing.T) {
	all := actors()
	alone := all[1]
	p := newPlace(t, alone.uid)
	// In a user namespace of its own, the setting is that namespace's.
	raw, err := json.Marshal(boxed{Run: "echo ran", Dir: p.checkout, Box: &port.Box{}})
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", `echo 0 > /proc/sys/user/max_user_namespaces || exit 77; exec "$0" boxed "$1"`, self, string(raw))
	cmd.SysProcAttr = alone.attr
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() == 77 {
		t.Skipf("no user namespace: %v %s", err, out)
	}
	for _, want := range []string{"error denied", "user.max_user_namespaces = 0", "sysctl -w user.max_user_namespaces"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("output = %q, want %q in it", out, want)
		}
	}
	if strings.Contains(string(out), "ran\n") {
		t.Errorf("output = %q: the command ran without a box", out)
	}
}

// TestBox_MakersMakeNone: a program that does not know the internal command, and starts
// itself, ends there.
func TestBox_MakersMakeNone(t *testing.T) {
	t.Setenv(box.MakerVariable, "1")
	_, err := process.NewCommands(process.Config{}).Run(t.Context(), port.Command{Run: "true", Dir: "/", Box: &port.Box{}}, io.Discard)
	if !fault.Is(err, fault.Internal) {
		t.Errorf("error = %v, want %s", err, fault.Internal)
	}
}
