//go:build linux

package container

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/sandbox"
)

// networks is a runtime that gives a container what only some need: a writable
// root, and a network of its own if its Spec has a Port. For that, a second launcher's
// process makes the network, in a user namespace if need be, and the other runtime starts
// the container by it. It stays there and hands out sockets, by which the supervisor
// connects to the port from outside.
type networks struct {
	Runtime
	namespaces Namespaces // for what Runtime cannot do
	pasta      string     // its path; empty: networks have no way out
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
	network, err := n.open(s)
	if err != nil {
		return nil, fmt.Errorf("start container %s: %w", s.Name, err)
	}
	group := n.namespaces.Limiter.Create(s.Name, s.CPU, s.Memory, s.Processes)
	way, noWay := (*wayOut)(nil), error(nil)
	bare := s
	bare.Port, bare.CPU, bare.Memory, bare.Processes = 0, 0, 0, 0 // the rest is the same for any container
	c, err := startIn(inner, network, bare).Start(bare, out, func(inside Started) {
		group.add(inside.PIDs[len(inside.PIDs)-1])
		pids := append([]int{network.launcher.child.PID()}, inside.PIDs...)
		if n.pasta != "" {
			if way, noWay = n.openWayOut(network.launcher); way != nil {
				pids = append(pids, way.child.PID())
			}
		}
		onStarted(Started{PIDs: pids, Cgroups: group.paths()})
	})
	if err != nil {
		if way != nil {
			_ = way.Close()
		}
		_ = network.Close()
		group.Remove()
		return nil, err
	}
	c.network, c.cgroup, c.memory = network, group, s.Memory
	c.closers = append(c.closers, network)
	if way != nil {
		c.closers = append(c.closers, way)
	}
	c.Notes = append(c.Notes, networkNote(s.Port, way, noWay))
	c.Notes = append(c.Notes, group.Notes...)
	return c, nil
}

// startIn returns the runtime with containers in the network, which are not limited.
func startIn(r Runtime, n *network, s Spec) Runtime {
	switch r := r.(type) {
	case Namespaces:
		r.Starter, r.Limiter = n.launcher, Limiter{}
		if !sandbox.IsRoot() {
			r.As = &s.User // to which the network's user namespace maps this user
		}
		return r
	case Bubblewrap:
		r.Starter, r.Limiter = n.launcher, Limiter{}
		return r
	}
	return r
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

// open makes a network.
func (n networks) open(s Spec) (*network, error) {
	network, inside, err := newNetwork()
	if err != nil {
		return nil, err
	}
	defer inside.Close()
	conn, theirs, err := socketPair("launcher")
	if err != nil {
		return nil, errors.Join(err, network.Close())
	}
	defer theirs.Close()
	cmd := n.command(s)
	cmd.ExtraFiles = []*os.File{theirs, inside}
	child, err := n.namespaces.Starter.Start(cmd)
	if err != nil {
		return nil, errors.Join(explainNoNetwork(err), conn.Close(), network.Close())
	}
	if network.launcher, err = newSession(conn, child); err != nil {
		return nil, errors.Join(fmt.Errorf("make a network: %w", err), network.Close())
	}
	return network, nil
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

// command returns the command of the process in the network.
func (n networks) command(s Spec) *exec.Cmd {
	cmd := launcherCommand("--network", strconv.Itoa(s.Port))
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET
	if n.pasta != "" {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM // see session.endWith
	}
	if !sandbox.IsRoot() {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: s.User.UID, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: s.User.GID, HostID: os.Getegid(), Size: 1}}
		cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_NET_ADMIN}
	}
	return cmd
}
