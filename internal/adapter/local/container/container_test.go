//go:build linux

package container

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/sandbox"
)

func TestResolveUser(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "etc/passwd"), "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/:/bin/sh\nbroken\nodd:x:many:1::/:\n")
	write(t, filepath.Join(root, "etc/group"), "staff:x:50:\nwheel:x:0:\n")
	cases := []struct {
		name string
		want User
		note bool
		fail bool
	}{
		{"", DefaultUser, false, false},
		{"root", DefaultUser, true, false},
		{"0", DefaultUser, true, false},
		{"0:0", DefaultUser, true, false},
		{"app", User{1000, 1001}, false, false},
		{"1000", User{1000, 1001}, false, false},
		{"2000", User{2000, 2000}, false, false},
		{"app:staff", User{1000, 50}, false, false},
		{"app:wheel", User{1000, 65532}, false, false},
		{"1:2", User{1, 2}, false, false},
		{"nobody-knows", User{}, false, true},
		{"app:nobody-knows", User{}, false, true},
		{"odd", User{}, false, true},
		{"-1", User{}, false, true},
		{"99999999999", User{}, false, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, note, err := ResolveUser(root, c.name)
			if (err != nil) != c.fail || (note != "") != c.note {
				t.Errorf("note %q, error %v; want note %v, failure %v", note, err, c.note, c.fail)
			}
			if diff := cmp.Diff(c.want, got); err == nil && diff != "" {
				t.Errorf("user (-want +got):\n%s", diff)
			}
		})
	}
}

// TestResolveUser_RejectsSymlinkOutOfImage: a symlink in a hostile image must not
// expose the host's files.
func TestResolveUser_RejectsSymlinkOutOfImage(t *testing.T) {
	root := t.TempDir()
	outside := filepath.Join(t.TempDir(), "passwd")
	write(t, outside, "app:x:1234:1234::/:\n")
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(root, "etc/passwd")); err != nil {
		t.Fatal(err)
	}
	if got, _, err := ResolveUser(root, "app"); err == nil {
		t.Errorf("ResolveUser = %+v, want an error: the file is outside the image", got)
	}
}

func TestCreateMountPoints_RejectsSymlinks(t *testing.T) {
	for _, place := range []string{"proc", "dev", "tmp", "model", "etc"} {
		root, outside := t.TempDir(), t.TempDir()
		if err := os.Symlink(outside, filepath.Join(root, place)); err != nil {
			t.Fatal(err)
		}
		if err := createMountPoints(root, true); err == nil {
			t.Errorf("a link at /%s was accepted", place)
		}
		if left, _ := os.ReadDir(outside); len(left) != 0 {
			t.Errorf("/%s: something was written outside the image", place)
		}
	}
}

func TestSpec_ValidateRejects(t *testing.T) {
	cases := map[string]Spec{
		"no program":        {},
		"zero byte in env":  {Args: []string{"/a"}, Env: []string{"A=b\x00--bind\x00/\x00/host"}},
		"zero byte in args": {Args: []string{"/a", "b\x00c"}},
		"zero byte in dir":  {Args: []string{"/a"}, Dir: "/\x00--dev-bind"},
		"env without name":  {Args: []string{"/a"}, Env: []string{"=x"}},
		"env without value": {Args: []string{"/a"}, Env: []string{"x"}},
	}
	for name, s := range cases {
		t.Run(name, func(t *testing.T) {
			if err := s.validate(); !fault.Is(err, fault.Invalid) {
				t.Errorf("error = %v, want %s", err, fault.Invalid)
			}
		})
	}
}

// TestMountError_ImageRemoved: a mount whose place is gone is not the image's fault; a
// program that it lacks is.
func TestMountError_ImageRemoved(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want fault.Kind
	}{
		{"place is gone", &sandbox.InitError{Report: sandbox.Report{Action: "share /etc/resolv.conf", Errno: syscall.ENOENT}}, fault.Unavailable},
		{"root is gone", &sandbox.InitError{Report: sandbox.Report{Action: "bind-mount the image root", Errno: syscall.ENOENT}}, fault.Unavailable},
		{"not permitted", &sandbox.InitError{Report: sandbox.Report{Action: "mount /proc", Errno: syscall.EPERM}}, fault.Internal},
		{"program is missing", &sandbox.InitError{Report: sandbox.Report{Action: "start /app/sample", Errno: syscall.ENOENT}}, fault.Internal},
		{"of another kind", errors.New("a disk full of holes"), fault.Internal},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := mountError(c.err); fault.KindOf(err) != c.want {
				t.Errorf("error = %v (%s), want %s", err, fault.KindOf(err), c.want)
			}
		})
	}
}

const hybridMounts = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
`

func TestParseLimiter(t *testing.T) {
	hybrid := parseLimiter(hybridMounts, "4:memory:/docker/abc/inner\n1:cpu,cpuacct:/own\n0::/user\n", false)
	if got, want := hybrid.v1["memory"], "/sys/fs/cgroup/memory/inner"; got != want {
		t.Errorf("memory = %q, want %q", got, want)
	}
	if got, want := hybrid.v1["cpu"], "/sys/fs/cgroup/cpu,cpuacct/own"; got != want {
		t.Errorf("cpu = %q, want %q", got, want)
	}
	if got, want := hybrid.unified, "/sys/fs/cgroup/unified/user"; got != want {
		t.Errorf("unified = %q, want %q", got, want)
	}
	modern := "30 1 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
	if got := parseLimiter(modern, "0::/user.slice/me\n", true).unified; got != "/sys/fs/cgroup" {
		t.Errorf("unified as root = %q, want the top", got)
	}
}

// TestLimiter_CgroupV2 runs against a folder that looks like a hierarchy. The
// test creates the control files that the kernel would.
func TestLimiter_CgroupV2(t *testing.T) {
	top := t.TempDir()
	group := filepath.Join(top, "slipway-x")
	for _, f := range []string{"memory.max", "memory.swap.max", "memory.oom.group", "cpu.max", "cgroup.procs", "memory.events", "pids.max"} {
		write(t, filepath.Join(group, f), "")
	}
	write(t, filepath.Join(top, "cgroup.controllers"), "cpuset cpu memory pids\n")
	write(t, filepath.Join(top, "cgroup.subtree_control"), "")
	g := Limiter{unified: top}.Create("x", 1.5, 64<<20, 99)
	g.add(42)
	if len(g.Notes) != 0 {
		t.Fatalf("notes = %q", g.Notes)
	}
	for f, want := range map[string]string{"memory.max": "67108864", "cpu.max": "150000 100000", "cgroup.procs": "42", "pids.max": "99", "memory.swap.max": "0"} {
		if got := read(t, filepath.Join(group, f)); got != want {
			t.Errorf("%s = %q, want %q", f, got, want)
		}
	}
	if g.OOMKilled() {
		t.Error("out of memory before anything happened")
	}
	write(t, filepath.Join(group, "memory.events"), "low 0\noom 1\noom_kill 2\n")
	if !g.OOMKilled() {
		t.Error("a kill was not seen")
	}
}

func TestLimiter_NotesUnenforcedLimits(t *testing.T) {
	top := t.TempDir()
	write(t, filepath.Join(top, "cgroup.controllers"), "hugetlb\n")
	for name, l := range map[string]Limiter{"no cgroups": {}, "no controller": {unified: top}, "no folder": {v1: map[string]string{"memory": "/nowhere", "cpu": "/nowhere"}}} {
		notes := strings.Join(l.Create("x", 1, 1<<20, 0).Notes, "\n")
		for _, want := range []string{"memory limit not enforced: ", "cpu limit not enforced: "} {
			if !strings.Contains(notes, want) {
				t.Errorf("%s: notes %q lack %q", name, notes, want)
			}
		}
	}
	if notes := (Limiter{}).Create("x", 0, 0, 0).Notes; len(notes) != 0 {
		t.Errorf("no limit was asked for, but notes = %q", notes)
	}
}

func TestBubblewrap_ArgumentsHideEnvironment(t *testing.T) {
	s := Spec{Name: "n", Rootfs: t.TempDir(), Args: []string{"/app", "-v"}, Env: []string{"A=b=c", "E="}, User: DefaultUser}
	cmd := Bubblewrap{Path: "/usr/bin/bwrap", Mark: "mark"}.command(s, nil)
	if want := []string{"mark", "--args", "3", "--", "/app", "-v"}; !slices.Equal(cmd.Args, want) || len(cmd.Env) != 0 {
		t.Errorf("command = %q in %q, want %q in nothing", cmd.Args, cmd.Env, want)
	}
	line := strings.Join(Bubblewrap{Sizes: true}.arguments(s), " ")
	for _, want := range []string{"--clearenv --setenv A b=c --setenv E ", "--die-with-parent", "--uid 65532"} {
		if !strings.Contains(line, want) {
			t.Errorf("arguments %q lack %q", line, want)
		}
	}
}

func TestExit_String(t *testing.T) {
	cases := map[string]Exit{
		"exit code 3":                                  {Code: 3},
		"killed by signal 9 (SIGKILL)":                 {Signal: syscall.SIGKILL},
		"out of memory: killed at its limit of 64 MiB": {Signal: syscall.SIGKILL, OOMKilled: true, memoryLimit: 64 << 20},
	}
	for want, e := range cases {
		if got := e.String(); got != want {
			t.Errorf("String = %q, want %q", got, want)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestExplainNoNetwork: a machine that forbids networks is not the release's failure,
// and there is a way without one.
func TestExplainNoNetwork(t *testing.T) {
	err := explainNoNetwork(&os.PathError{Op: "fork/exec", Path: "/proc/self/exe", Err: syscall.EPERM})
	if !fault.Is(err, fault.Denied) || !strings.Contains(fault.HintOf(err), "deploy.port: 0; or ") || !errors.Is(err, syscall.EPERM) {
		t.Errorf("error = %v, hint %q, want it denied, with both ways", err, fault.HintOf(err))
	}
	if err := explainNoNetwork(errors.New("no memory")); fault.Is(err, fault.Denied) {
		t.Errorf("error = %v, want it as it is", err)
	}
}
