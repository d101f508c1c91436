package cluster

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// link is this machine's end of the wire into the cluster.
const link = "slipway-e2e"

// room is the cluster's own namespaces: network, mounts and processes. They belong
// to one process, the holder, which ends when this process closes its input or dies;
// then the kernel kills everything in the room and drops its mounts, and with the
// network go the wire and its routes. So a killed test leaves nothing that runs.
type room struct {
	holder *exec.Cmd
	input  io.Closer
	ended  chan struct{}
	net    nsID
}

// nsID tells one namespace from another while either is in use.
type nsID struct{ Dev, Ino uint64 }

// openRoom makes the namespaces with the mounts: pairs of what and where.
func openRoom(pause string, mounts []string) (*room, error) {
	r := &room{holder: exec.Command(pause, append([]string{"machine"}, mounts...)...), ended: make(chan struct{})}
	r.holder.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	input, err := r.holder.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("make the namespaces: %w", err)
	}
	output, err := r.holder.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("make the namespaces: %w", err)
	}
	var complaint strings.Builder
	r.holder.Stderr = &complaint
	if err := r.holder.Start(); err != nil {
		return nil, fmt.Errorf("make the namespaces: %w", err)
	}
	r.input = input
	said, _ := bufio.NewReader(output).ReadString('\n')
	go func() { _ = r.holder.Wait(); close(r.ended) }()
	if said != "ready\n" {
		r.end()
		return nil, fmt.Errorf("make the namespaces: %s", strings.TrimSpace(complaint.String()))
	}
	if r.net, err = netns(r.holder.Process.Pid); err != nil {
		r.end()
		return nil, fmt.Errorf("make the namespaces: %w", err)
	}
	return r, nil
}

// inside is a command that belongs to the room. nsenter stays as its parent.
func (r *room) inside(name string, args ...string) *exec.Cmd {
	return r.enter([]string{"--net", "--mount", "--pid"}, name, args...)
}

// beside is a command of this machine that only has the room's network. The kernel
// kills it when the thread that starts it ends, which is with this process.
func (r *room) beside(name string, args ...string) *exec.Cmd {
	cmd := r.enter([]string{"--net"}, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

func (r *room) enter(which []string, name string, args ...string) *exec.Cmd {
	words := append([]string{"--target", strconv.Itoa(r.holder.Process.Pid)}, which...)
	return exec.Command("nsenter", append(append(words, "--", name), args...)...)
}

// wire connects the room with this machine, and sends what is for pods and Services
// there. From the room there is no way to anywhere else.
func (r *room) wire() error {
	pid := strconv.Itoa(r.holder.Process.Pid)
	for _, step := range []*exec.Cmd{
		exec.Command("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", pid),
		exec.Command("ip", "addr", "add", hostIP+"/24", "dev", link),
		exec.Command("ip", "link", "set", link, "up"),
		r.beside("ip", "link", "set", "lo", "up"),
		r.beside("ip", "addr", "add", nodeIP+"/24", "dev", "eth0"),
		r.beside("ip", "link", "set", "eth0", "up"),
		// A packet to a Service needs a way before kube-proxy gives it another address.
		r.beside("ip", "route", "add", serviceNet, "dev", "eth0"),
		r.beside("ip", "route", "add", "unreachable", "default"),
		exec.Command("ip", "route", "add", podNet, "via", nodeIP, "dev", link),
		exec.Command("ip", "route", "add", serviceNet, "via", nodeIP, "dev", link),
	} {
		if out, err := step.CombinedOutput(); err != nil {
			return fmt.Errorf("wire the network: %s: %w: %s", strings.Join(step.Args, " "), err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}

// end kills everything in the room, and what this machine runs in its network.
func (r *room) end() {
	_ = r.input.Close()
	_ = r.holder.Process.Kill()
	<-r.ended // the kernel has buried everybody in the room by then
}

// unwire removes the wire with its routes, and kills who still uses the network of
// which it is a part. It is the same after a Stop as after a killed test.
func unwire(net nsID, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	for {
		left := processes(func(pid int) bool { id, err := netns(pid); return err == nil && id == net })
		if len(left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("end the processes %v in the cluster's network: %w", left, os.ErrDeadlineExceeded)
		}
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(poll / 5)
	}
	if !wired() {
		return nil
	}
	if out, err := exec.Command("ip", "link", "del", link).CombinedOutput(); err != nil && wired() {
		return fmt.Errorf("remove the link %s: %w: %s", link, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// wired tells whether this machine's end of a wire is there.
func wired() bool {
	_, err := os.Lstat(filepath.Join("/sys/class/net", link))
	return err == nil
}

func netns(pid int) (nsID, error) {
	info, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid), "ns", "net"))
	if err != nil {
		return nsID{}, fmt.Errorf("find the network namespace of %d: %w", pid, err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nsID{}, errors.ErrUnsupported
	}
	return nsID{st.Dev, st.Ino}, nil
}

// processes lists those that match, without this one.
func processes(match func(pid int) bool) []int {
	entries, _ := os.ReadDir("/proc")
	var found []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() && match(pid) {
			found = append(found, pid)
		}
	}
	return found
}

// parent reads the parent in /proc/PID/stat: the second word after the name, which
// stands in brackets and may hold anything.
func parent(pid int) int {
	stat, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	words := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(words) < 2 {
		return 0
	}
	ppid, _ := strconv.Atoi(words[1])
	return ppid
}
