package cluster

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// linkName is the host's end of the veth pair to the cluster.
const linkName = "slipway-e2e"

// netns is the cluster's private namespaces: network, mount and PID. They belong to
// one process, init, which exits when this process closes its stdin or dies; the
// kernel then kills everything inside and drops the mounts, and with the network
// namespace the veth pair and its routes disappear. So a killed test leaves no
// processes.
type netns struct {
	init   *exec.Cmd
	stdin  io.Closer
	exited chan struct{}
	id     namespaceID
}

// namespaceID identifies a namespace while it is in use.
type namespaceID struct{ Dev, Ino uint64 }

// openNamespaces creates the namespaces with mounts, given as pairs of source and
// mount point.
func openNamespaces(pause string, mounts []string) (*netns, error) {
	r := &netns{init: exec.Command(pause, append([]string{"machine"}, mounts...)...), exited: make(chan struct{})}
	r.init.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	input, err := r.init.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("create the namespaces: %w", err)
	}
	output, err := r.init.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("create the namespaces: %w", err)
	}
	var stderr strings.Builder
	r.init.Stderr = &stderr
	if err := r.init.Start(); err != nil {
		return nil, fmt.Errorf("create the namespaces: %w", err)
	}
	r.stdin = input
	line, _ := bufio.NewReader(output).ReadString('\n')
	go func() { _ = r.init.Wait(); close(r.exited) }()
	if line != "ready\n" {
		r.close()
		return nil, fmt.Errorf("create the namespaces: %s", strings.TrimSpace(stderr.String()))
	}
	if r.id, err = netnsOf(r.init.Process.Pid); err != nil {
		r.close()
		return nil, fmt.Errorf("create the namespaces: %w", err)
	}
	return r, nil
}

// command returns a command that runs inside the namespaces, with nsenter as its
// parent.
func (r *netns) command(name string, args ...string) *exec.Cmd {
	return r.nsenter([]string{"--net", "--mount", "--pid"}, name, args...)
}

// hostCommand returns a command that runs on this machine with the cluster's network
// namespace. The kernel kills it when the thread that started it exits, that is with
// this process.
func (r *netns) hostCommand(name string, args ...string) *exec.Cmd {
	cmd := r.nsenter([]string{"--net"}, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

func (r *netns) nsenter(which []string, name string, args ...string) *exec.Cmd {
	words := append([]string{"--target", strconv.Itoa(r.init.Process.Pid)}, which...)
	return exec.Command("nsenter", append(append(words, "--", name), args...)...)
}

// connect connects the cluster to this machine, and routes the traffic for pods and
// Services to it. There is no route from the cluster to anywhere else.
func (r *netns) connect() error {
	pid := strconv.Itoa(r.init.Process.Pid)
	for _, step := range []*exec.Cmd{
		exec.Command("ip", "link", "add", linkName, "type", "veth", "peer", "name", "eth0", "netns", pid),
		exec.Command("ip", "addr", "add", HostIP+"/24", "dev", linkName),
		exec.Command("ip", "link", "set", linkName, "up"),
		r.hostCommand("ip", "link", "set", "lo", "up"),
		r.hostCommand("ip", "addr", "add", nodeIP+"/24", "dev", "eth0"),
		r.hostCommand("ip", "link", "set", "eth0", "up"),
		// A packet to a Service needs a route before kube-proxy rewrites its address.
		r.hostCommand("ip", "route", "add", serviceNet, "dev", "eth0"),
		r.hostCommand("ip", "route", "add", "unreachable", "default"),
		exec.Command("ip", "route", "add", podNet, "via", nodeIP, "dev", linkName),
		exec.Command("ip", "route", "add", serviceNet, "via", nodeIP, "dev", linkName),
	} {
		if out, err := step.CombinedOutput(); err != nil {
			return fmt.Errorf("set up the network: %s: %w: %s", strings.Join(step.Args, " "), err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}

// close kills everything inside the namespaces.
func (r *netns) close() {
	_ = r.stdin.Close()
	_ = r.init.Process.Kill()
	<-r.exited // by then the kernel has killed everything inside
}

// disconnect kills the processes that still use the network namespace, and removes
// the link with its routes. It works the same after Stop and after a killed test.
func disconnect(net namespaceID, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for {
		pids := findProcesses(func(pid int) bool { id, err := netnsOf(pid); return err == nil && id == net })
		if len(pids) == 0 {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("end the processes %v in the cluster's network: %w", pids, os.ErrDeadlineExceeded)
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(pollInterval / 5)
	}
	if !linkExists() {
		return nil
	}
	if out, err := exec.Command("ip", "link", "del", linkName).CombinedOutput(); err != nil && linkExists() {
		return fmt.Errorf("remove the link %s: %w: %s", linkName, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// linkExists reports whether the host's end of the veth pair exists.
func linkExists() bool {
	_, err := os.Lstat(filepath.Join("/sys/class/net", linkName))
	return err == nil
}

func netnsOf(pid int) (namespaceID, error) {
	info, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid), "ns", "net"))
	if err != nil {
		return namespaceID{}, fmt.Errorf("find the network namespace of %d: %w", pid, err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return namespaceID{}, errors.ErrUnsupported
	}
	return namespaceID{st.Dev, st.Ino}, nil
}

// findProcesses returns the IDs of the processes that match, except this one.
func findProcesses(match func(pid int) bool) []int {
	entries, _ := os.ReadDir("/proc")
	var found []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() && match(pid) {
			found = append(found, pid)
		}
	}
	return found
}

// parentPID reads the parent from /proc/PID/stat: the second field after the name,
// which is in parentheses and may contain anything.
func parentPID(pid int) int {
	stat, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	words := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(words) < 2 {
		return 0
	}
	ppid, _ := strconv.Atoi(words[1])
	return ppid
}

// checkAddressesFree checks that the cluster's addresses are not in use on this
// machine.
func checkAddressesFree() error {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return fmt.Errorf("list this machine's addresses: %w", err)
	}
	for _, cidr := range []string{nodeNet, podNet, serviceNet} {
		_, needed, err := net.ParseCIDR(cidr)
		if err != nil {
			return fmt.Errorf("read %s: %w", cidr, err)
		}
		for _, addr := range addrs {
			if taken, ok := addr.(*net.IPNet); ok && (needed.Contains(taken.IP) || taken.Contains(needed.IP)) {
				return fmt.Errorf("start a cluster: this machine uses %s, and the cluster needs %s: %w", taken, cidr, ErrUnsupported)
			}
		}
	}
	return nil
}
