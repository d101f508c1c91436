//go:build linux

package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/sandbox"
)

// Bubblewrap is the runtime that uses an installed bwrap. Distributions that
// restrict user namespaces often exempt it.
type Bubblewrap struct {
	Path    string // of bwrap
	Sizes   bool   // it can limit the size of a tmpfs (since 0.7)
	Mark    string // name of its processes, by which they are found again
	Starter Starter
	Limiter Limiter
}

// Name is "bwrap".
func (w Bubblewrap) Name() string { return "bwrap" }

// FindBubblewrap returns a Bubblewrap if bwrap works on this machine.
func FindBubblewrap(mark string, starter Starter, limiter Limiter) (Bubblewrap, error) {
	path, err := exec.LookPath("bwrap")
	if err != nil {
		return Bubblewrap{}, fault.New(fault.NotFound, "find bwrap: it is not installed").
			Hint(`install the bubblewrap package, or use the runtime "namespaces", which has no dependencies`).Cause(err)
	}
	w := Bubblewrap{Path: path, Mark: mark, Starter: starter, Limiter: limiter, Sizes: true}
	output, err := w.try()
	if err != nil {
		w.Sizes = false
		output, err = w.try()
	}
	if err != nil {
		return Bubblewrap{}, fault.New(fault.Denied, "create a container with bwrap: %s", strings.TrimSpace(string(output))).
			Hint("this machine may forbid user namespaces: check sysctl user.max_user_namespaces and kernel.unprivileged_userns_clone").Cause(err)
	}
	return w, nil
}

// try runs a program in a container like that of a service.
func (w Bubblewrap) try() ([]byte, error) {
	args := []string{"--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"}
	cmd := exec.Command(w.Path, append(append(args, w.scratch("/tmp", 0)...), "true")...)
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin"}
	return cmd.CombinedOutput()
}

// scratch are the arguments for a /tmp or /dev/shm.
func (w Bubblewrap) scratch(at string, memory int64) []string {
	args := []string{"--perms", "1777"}
	if w.Sizes {
		args = append(args, "--size", strconv.FormatInt(scratchSize(memory), 10))
	}
	return append(args, "--tmpfs", at)
}

// Start starts the container. See Runtime.
func (w Bubblewrap) Start(s Spec, out *os.File, onStarted func(Started)) (*Container, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	if err := createMountPoints(s.Rootfs, s.Model != ""); err != nil {
		return nil, err
	}
	if sandbox.IsRoot() {
		w.makeSearchable(s.Rootfs, s.Model)
		if err := checkAccess(s.User, s.Rootfs, s.Model); err != nil {
			return nil, err
		}
	}
	group := w.Limiter.Create(s.Name, s.CPU, s.Memory, s.Processes)
	child, inner, err := w.run(s, out, func(outer, pid int) {
		group.add(pid)
		onStarted(Started{PIDs: []int{outer, pid}, Cgroups: group.paths()})
	})
	if err != nil {
		group.Remove()
		return nil, fmt.Errorf("start container %s: %w", s.Name, err)
	}
	return &Container{Notes: group.Notes, child: child, process: inner, pid: inner.Pid, cgroup: group, memory: s.Memory}, nil
}

func (w Bubblewrap) run(s Spec, out *os.File, onStarted func(outer, pid int)) (Child, *os.Process, error) {
	var open []*os.File
	defer func() {
		for _, f := range open {
			f.Close()
		}
	}()
	pipe := func() (r, w *os.File, err error) {
		if r, w, err = os.Pipe(); err == nil {
			open = append(open, r, w)
		}
		return r, w, err
	}
	args, toArgs, err := pipe()
	if err != nil {
		return nil, nil, err
	}
	info, toInfo, err := pipe()
	if err != nil {
		return nil, nil, err
	}
	block, unblock, err := pipe()
	if err != nil {
		return nil, nil, err
	}
	filter, toFilter, err := pipe()
	if err != nil {
		return nil, nil, err
	}
	if err := writeFilter(toFilter); err != nil {
		return nil, nil, err
	}
	cmd := w.command(s, out)
	// bwrap gets the writing end of block, too: if this process is killed before
	// it unblocks bwrap, there is no end of file, on which the program would
	// start without a supervisor. What is left waiting is found by its mark; see
	// FindMarked.
	cmd.ExtraFiles = []*os.File{args, toInfo, block, unblock, filter}
	child, err := w.Starter.Start(cmd)
	if err != nil {
		return nil, nil, err
	}
	args.Close()
	filter.Close()
	toInfo.Close()
	block.Close()
	inner, err := w.handshake(s, toArgs, info, unblock, func(pid int) { onStarted(child.PID(), pid) })
	if err != nil {
		kill(child)
		return nil, nil, err
	}
	return child, inner, nil
}

func (w Bubblewrap) command(s Spec, out *os.File) *exec.Cmd {
	attr := &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if sandbox.IsRoot() {
		// In a user namespace created by root, the service would still be the
		// host's root to everything that only checks the user ID.
		attr.Credential = &syscall.Credential{Uid: uint32(s.User.UID), Gid: uint32(s.User.GID)}
	}
	return &exec.Cmd{Path: w.Path, Args: append([]string{w.Mark, "--args", "3", "--"}, s.Args...), Env: []string{}, Dir: "/", Stdout: out, Stderr: out, SysProcAttr: attr}
}

// writeFilter writes the filter of system calls, which fits into a pipe.
func writeFilter(to *os.File) error {
	raw, err := sandbox.SeccompProgram()
	if err != nil {
		return err
	}
	_, err = to.Write(raw)
	return errors.Join(err, to.Close())
}

// handshake sends bwrap its arguments, reads the PID of the service,
// and unblocks bwrap once that process is in its cgroup.
func (w Bubblewrap) handshake(s Spec, toArgs, info, unblock *os.File, onStarted func(pid int)) (*os.Process, error) {
	_, err := io.WriteString(toArgs, strings.Join(w.arguments(s), "\x00")+"\x00")
	toArgs.Close()
	if err != nil {
		return nil, fmt.Errorf("pass arguments to bwrap: %w", err)
	}
	var response struct {
		Pid int `json:"child-pid"`
	}
	if err := json.NewDecoder(io.LimitReader(info, 4096)).Decode(&response); err != nil || response.Pid <= 0 {
		return nil, fmt.Errorf("bwrap exited before the container started; see the log")
	}
	inner, err := os.FindProcess(response.Pid)
	if err != nil {
		return nil, err
	}
	onStarted(response.Pid)
	if _, err := unblock.Write([]byte{1}); err != nil {
		return nil, fmt.Errorf("unblock the container: %w", err)
	}
	return inner, nil
}

// arguments returns the arguments of bwrap. They are sent through a pipe, so that
// process lists do not show the environment.
func (w Bubblewrap) arguments(s Spec) []string {
	a := []string{
		"--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
		"--uid", strconv.Itoa(s.User.UID), "--gid", strconv.Itoa(s.User.GID), "--hostname", s.Name,
		"--die-with-parent", "--new-session", "--as-pid-1", "--info-fd", "4", "--block-fd", "5", "--seccomp", "7",
		"--ro-bind", s.Rootfs, "/", "--proc", "/proc", "--dev", "/dev",
	}
	a = slices.Concat(a, w.scratch("/dev/shm", s.Memory), []string{"--remount-ro", "/dev"}, w.scratch("/tmp", s.Memory))
	for inside, outside := range sharedHostFiles(s.Rootfs) {
		a = append(a, "--ro-bind", outside, "/"+inside)
	}
	if s.Model != "" {
		a = append(a, "--ro-bind", s.Model, "/model")
	}
	a = append(a, "--clearenv")
	for _, kv := range s.Env {
		k, v, _ := strings.Cut(kv, "=")
		a = append(a, "--setenv", k, v)
	}
	dir := s.Dir
	if dir == "" {
		dir = "/"
	}
	return append(a, "--chdir", dir)
}

// makeSearchable lets other users enter, though not list, those folders of the state on
// the way to what the container gets: bwrap is started as the user of the image.
func (w Bubblewrap) makeSearchable(folders ...string) {
	state := filepath.Dir(strings.TrimPrefix(w.Mark, markPrefix))
	for _, folder := range folders {
		for dir := filepath.Dir(folder); strings.HasPrefix(dir+"/", state+"/") && dir != "/"; dir = filepath.Dir(dir) {
			if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o001 == 0 {
				_ = os.Chmod(dir, info.Mode().Perm()|0o011) // checkAccess reports it
			}
		}
	}
}

// checkAccess returns an error unless the user can enter the folders, which bwrap
// requires when it does not run as root.
func checkAccess(u User, folders ...string) error {
	for _, folder := range folders {
		for dir := folder; dir != "/" && folder != ""; dir = filepath.Dir(dir) {
			var st unix.Stat_t
			if err := unix.Stat(dir, &st); err != nil {
				return fmt.Errorf("stat %s: %w", dir, err)
			}
			ownerMayEnter := int(st.Uid) == u.UID && st.Mode&0o100 != 0
			if !ownerMayEnter && st.Mode&0o001 == 0 {
				return fault.New(fault.Denied, "run bwrap as root: user %d has no access to %s", u.UID, dir).
					Hint(`use the runtime "namespaces" (the default for root), or a state folder that other users can access`)
			}
		}
	}
	return nil
}

// FindMarked returns the processes with a mark that have not become a service:
// bwrap itself, and children of one that was killed during the start.
func FindMarked(mark string) []int {
	var pids []int
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is well-formed
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil || !strings.HasPrefix(string(line), mark+"\x00") {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// ProcessMark returns the mark of the processes of a state folder.
func ProcessMark(dir string) string { return markPrefix + dir }

const markPrefix = "slipway-box:"
