//go:build linux

package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/sandbox"
)

// networks is a runtime that gives a container what only some need: a writable
// root, and a network of its own if its Spec has a Port. For that, a second process of this program makes the network, in a user
// namespace if need be, and starts the container in it by the other runtime. It
// stays there and hands out sockets, by which the supervisor connects to the port
// from outside.
type networks struct {
	Runtime
	namespaces Namespaces // for what Runtime cannot do
	pasta      string     // its path; empty: networks have no way out
}

// networkRequest is the request to the process that makes the network.
type networkRequest struct {
	Spec       Spec     `json:"spec"`
	Bubblewrap string   `json:"bubblewrap,omitempty"` // its path; empty: namespaces
	Mark       string   `json:"mark,omitempty"`
	Sizes      bool     `json:"sizes,omitempty"` // see Bubblewrap
	InitArgs   []string `json:"init_args"`
}

// beginRequest lets the program begin.
type beginRequest struct {
	Pasta int `json:"pasta,omitempty"` // PID of the way out, which ends with the network
}

// networkStatus is one line of what that process reports.
type networkStatus struct {
	Started *Started `json:"started,omitempty"` // the program may not begin yet
	Running bool     `json:"running,omitempty"`
	Exit    *Exit    `json:"exit,omitempty"`
	sandbox.Report
}

// Start starts the container. See Runtime.
func (n networks) Start(s Spec, out *os.File, onStarted func(Started)) (*Container, error) {
	inner, err := n.runtimeFor(s)
	if err != nil {
		return nil, err
	}
	if s.Port == 0 {
		return inner.Start(s, out, onStarted)
	}
	if err := s.validate(); err != nil {
		return nil, err
	}
	group := n.namespaces.Limiter.Create(s.Name, s.CPU, s.Memory, s.Processes)
	o := networkRequest{Spec: s, InitArgs: n.namespaces.InitArgs}
	o.Spec.Port, o.Spec.CPU, o.Spec.Memory, o.Spec.Processes = 0, 0, 0, 0 // the rest is the same for any container
	if wrap, ok := inner.(Bubblewrap); ok {
		o.Bubblewrap, o.Mark, o.Sizes = wrap.Path, wrap.Mark, wrap.Sizes
	}
	way, noWay := (*wayOut)(nil), error(nil)
	c, err := n.run(o, s.Port, out, func(helper int, inside Started) beginRequest {
		group.add(inside.PIDs[len(inside.PIDs)-1])
		pids, begin := append([]int{helper}, inside.PIDs...), beginRequest{}
		if n.pasta != "" {
			if way, noWay = n.openWayOut(helper); way != nil {
				begin.Pasta = way.cmd.Process.Pid
				pids = append(pids, begin.Pasta)
			}
		}
		onStarted(Started{PIDs: pids, Cgroups: group.paths()})
		return begin
	})
	if err != nil {
		if way != nil {
			_ = way.Close()
		}
		group.Remove()
		return nil, fmt.Errorf("start container %s: %w", s.Name, err)
	}
	c.cgroup, c.memory = group, s.Memory
	if way != nil {
		c.closers = append(c.closers, way)
	}
	c.Notes = append(c.Notes, networkNote(s.Port, way, noWay))
	c.Notes = append(c.Notes, group.Notes...)
	return c, nil
}

// runtimeFor returns the runtime for a container: bwrap cannot make a root writable
// without changing the image.
func (n networks) runtimeFor(s Spec) (Runtime, error) {
	if _, wrapped := n.Runtime.(Bubblewrap); !wrapped || !s.Writable {
		return n.Runtime, nil
	}
	if err := n.namespaces.Check(); err != nil {
		return nil, fmt.Errorf("start container %s with a writable root file system, which bwrap cannot: %w", s.Name, err)
	}
	return n.namespaces, nil
}

// networkNote describes how the replica differs from one in the host's network.
func networkNote(port int, way *wayOut, noWay error) string {
	note := fmt.Sprintf("each replica has a separate network, because the service has a fixed port (%d): ", port)
	switch {
	case way != nil:
		return note + "it reaches other hosts by pasta, but not this one"
	case noWay != nil:
		return fmt.Sprintf("%sit cannot reach other hosts or this one: %v", note, noWay)
	}
	return note + "it cannot reach other hosts or this one"
}

// run starts the helper, and waits until the program in the network may begin.
func (n networks) run(o networkRequest, port int, out *os.File, onStarted func(helper int, inside Started) beginRequest) (*Container, error) {
	requests, toRequests, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer requests.Close()
	status, toStatus, err := os.Pipe()
	if err != nil {
		toRequests.Close()
		return nil, err
	}
	defer toStatus.Close()
	network, inside, err := newNetwork()
	if err != nil {
		return nil, errors.Join(err, toRequests.Close(), status.Close())
	}
	defer inside.Close()
	cmd := n.command(o.Spec.User, out)
	cmd.ExtraFiles = []*os.File{requests, toStatus, inside}
	if err := n.namespaces.Spawner.Start(cmd); err != nil {
		_ = errors.Join(toRequests.Close(), status.Close(), network.Close())
		return nil, explainNoNetwork(err)
	}
	toStatus.Close()
	c := &Container{cmd: cmd, network: network, status: json.NewDecoder(status), closers: []io.Closer{toRequests, status, network}}
	err = c.awaitStart(initRequest{Network: &o, Port: port}, toRequests, onStarted)
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		c.close()
		return nil, err
	}
	return c, nil
}

// explainNoNetwork returns an error that says what a service with a fixed port can
// do on a machine that forbids networks to this user.
func explainNoNetwork(err error) error {
	err = sandbox.ExplainForbidden("create a container", fmt.Errorf("create a network namespace: %w", err))
	if !fault.Is(err, fault.Denied) {
		return err
	}
	return fault.New(fault.Denied, "give the replica a separate network, because the service has a fixed port").
		Hint("let the service read PORT and set deploy.port: 0; or %s", fault.HintOf(err)).Cause(err)
}

func (n networks) command(u User, out *os.File) *exec.Cmd {
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Setsid: true, Pdeathsig: syscall.SIGKILL}
	if n.pasta != "" {
		attr.Pdeathsig = syscall.SIGTERM // see dieWith
	}
	if !sandbox.IsRoot() {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: u.UID, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: u.GID, HostID: os.Getegid(), Size: 1}}
		attr.AmbientCaps = []uintptr{unix.CAP_NET_ADMIN}
	}
	return &exec.Cmd{
		Path: "/proc/self/exe", Args: append([]string{"slipway"}, n.namespaces.InitArgs...), Env: []string{"GOMAXPROCS=1"}, Dir: "/",
		Stdout: out, Stderr: out, SysProcAttr: attr,
	}
}

// awaitStart sends the request, and waits until the program may begin.
func (b *Container) awaitStart(o initRequest, request io.Writer, onStarted func(helper int, inside Started) beginRequest) error {
	encoder := json.NewEncoder(request)
	if err := encoder.Encode(o); err != nil {
		return fmt.Errorf("send the request to the network's process: %w", err)
	}
	for {
		var now networkStatus
		if err := b.status.Decode(&now); err != nil {
			return fmt.Errorf("read the status of the network's process: %w", err)
		}
		switch {
		case now.Text != "":
			return &sandbox.InitError{Report: now.Report}
		case now.Started != nil && len(now.Started.PIDs) > 0:
			process, err := os.FindProcess(now.Started.PIDs[len(now.Started.PIDs)-1])
			if err != nil {
				return err
			}
			b.process, b.pid = process, process.Pid
			if err := encoder.Encode(onStarted(b.cmd.Process.Pid, *now.Started)); err != nil {
				return fmt.Errorf("begin: %w", err)
			}
		case now.Running && b.process != nil:
			return nil
		}
	}
}
