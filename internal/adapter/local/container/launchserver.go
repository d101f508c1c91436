//go:build linux

package container

import (
	"flag"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/sandbox"
)

// LaunchCommand is the internal command of the process that starts containers for one
// that holds secrets. It has none itself, and must be dumpable: see Launcher.
const LaunchCommand = "launch-containers"

// The open files of that process.
const (
	launchFile  = 3 // the Launcher
	networkFile = 4 // see handOutSockets
)

// launchServer starts processes for a Launcher.
type launchServer struct {
	conn    *net.UnixConn
	spawner *Spawner
	held    map[string]*os.File
	endWith int // pidfd of a process that ends with this one; -1: none
}

// RunLauncher is the whole program of the internal command. It ends when the process
// that started it does, and returns the exit code.
func RunLauncher(args []string, errs io.Writer) int {
	flags := flag.NewFlagSet(LaunchCommand, flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.String("dir", "", "state folder, for lists of processes")
	network := flags.Int("network", 0, "port that is served in a new network, in which this process is")
	if flags.Parse(args) != nil {
		return 2
	}
	syscall.CloseOnExec(networkFile)
	conn, err := connOf(launchFile, "launcher")
	if err != nil {
		_, _ = io.WriteString(errs, "slipway "+LaunchCommand+" (it is internal to Slipway): "+err.Error()+"\n")
		return 2
	}
	s := &launchServer{conn: conn, spawner: NewSpawner(), held: map[string]*os.File{}, endWith: -1}
	terminated := make(chan os.Signal, 8)
	signal.Notify(terminated, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	var ready launchReply
	if *network != 0 {
		ready = replyOf(0, s.enterNetwork(*network))
	}
	if sendMessage(conn, ready) != nil || ready.Error != "" {
		return 125
	}
	requests := make(chan launchOrder)
	go s.receive(requests)
	s.serve(requests, terminated, *network != 0)
	return 0
}

// replyOf is the reply for an error, or none.
func replyOf(id int, err error) launchReply {
	if err == nil {
		return launchReply{ID: id}
	}
	r := sandbox.ReportOf(err)
	return launchReply{ID: id, Error: r.Text, Errno: r.Errno, Action: r.Action}
}

// launchOrder is a request with its files.
type launchOrder struct {
	launchRequest
	files []*os.File
}

// receive reads requests until the Launcher has closed the connection.
func (s *launchServer) receive(to chan<- launchOrder) {
	defer close(to)
	buffer := make([]byte, maxLaunchMessage)
	for {
		var o launchOrder
		var err error
		if o.files, err = receiveMessage(s.conn, buffer, &o.launchRequest); err != nil {
			return
		}
		to <- o
	}
}

// serve does what is asked. Signals that end others are for the Launcher to act on, which
// lets services finish their requests. In a network, SIGTERM is what the kernel sends
// when its parent has died.
func (s *launchServer) serve(orders <-chan launchOrder, terminated <-chan os.Signal, inNetwork bool) {
	for {
		select {
		case o, open := <-orders:
			if !open {
				return
			}
			s.act(o)
		case sig := <-terminated:
			if inNetwork && sig == syscall.SIGTERM {
				s.endOther()
				return
			}
		}
	}
}

func (s *launchServer) act(o launchOrder) {
	switch {
	case len(o.files) != o.Files || o.Command != nil && o.Files < o.Command.outputs():
		closeFiles(o.files) // the kernel has left some out: this process has too many
		s.reply(replyOf(o.ID, unix.EMFILE))
	case o.Command != nil:
		go s.start(o)
	case o.Hold != "" && o.Files == 1:
		if before := s.held[o.Hold]; before != nil {
			before.Close()
		}
		s.held[o.Hold] = o.files[0]
		s.reply(launchReply{ID: o.ID})
	case o.EndWith != 0:
		fd, err := unix.PidfdOpen(o.EndWith, 0)
		if err == nil {
			s.endWith = fd
		}
		s.reply(launchReply{ID: o.ID}) // it has ended already
	default:
		closeFiles(o.files)
		s.reply(replyOf(o.ID, unix.EINVAL))
	}
}

// start starts a process, and reports how it ends. Its files are closed before the reply:
// whoever waits for the end of a pipe waits for that process alone.
func (s *launchServer) start(o launchOrder) {
	child, err := s.spawner.Start(o.Command.command(o.files))
	closeFiles(o.files)
	if err != nil {
		s.reply(replyOf(o.ID, err))
		return
	}
	reply := launchReply{ID: o.ID, PID: child.PID()}
	if fd, err := unix.PidfdOpen(child.PID(), 0); err == nil { // it has not been waited for yet
		handle := os.NewFile(uintptr(fd), "pidfd "+strconv.Itoa(child.PID()))
		s.reply(reply, handle)
		handle.Close()
	} else {
		s.reply(reply)
	}
	status, err := child.Wait()
	reply = replyOf(o.ID, err)
	reply.Exited, reply.Status = true, status
	s.reply(reply)
}

func (s *launchServer) reply(r launchReply, files ...*os.File) {
	_ = sendMessage(s.conn, r, files...) // the Launcher is gone, and this process ends with it
}

// endOther ends the process that was to end with this one.
func (s *launchServer) endOther() {
	if s.endWith >= 0 {
		_ = unix.PidfdSendSignal(s.endWith, unix.SIGKILL, nil, 0) // it has ended
	}
}

// enterNetwork prepares the new network that this process is in: it hands out sockets
// of it. bwrap refuses to run with capabilities, and nothing needs them any more.
func (s *launchServer) enterNetwork(port int) error {
	if err := loopbackUp(port); err != nil {
		return err
	}
	go handOutSockets(networkFile)
	err := s.spawner.do(func() error { return unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) })
	return sandbox.Annotate("drop the ambient capabilities", err)
}
