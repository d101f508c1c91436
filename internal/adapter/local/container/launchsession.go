//go:build linux

package container

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/fault"
)

// launchTimeout is how long a launcher's process may take until it is ready, on a machine
// that is busy.
const launchTimeout = 30 * time.Second

// session is the connection to a launcher's process. It is a Starter, too.
type session struct {
	conn  *net.UnixConn
	child Child         // the process
	ended chan struct{} // closed when it has ended, and all that it has started

	mu      sync.Mutex
	last    int
	waiting map[int]chan started // for the reply to a request; nil: it has ended
	running map[int]*launchedChild
}

// started is the result of a request.
type started struct {
	child *launchedChild
	err   error
}

// newSession waits until the process is ready, and takes it over.
func newSession(conn *net.UnixConn, child Child) (*session, error) {
	s := &session{conn: conn, child: child, ended: make(chan struct{}), waiting: map[int]chan started{}, running: map[int]*launchedChild{}}
	var ready launchReply
	err := conn.SetReadDeadline(time.Now().Add(launchTimeout))
	if err == nil {
		_, err = receiveMessage(conn, make([]byte, maxLaunchMessage), &ready)
	}
	if err == nil {
		err = errors.Join(readyError(ready), conn.SetReadDeadline(time.Time{}))
	}
	if err != nil {
		kill(child)
		return nil, errors.Join(fmt.Errorf("wait until it is ready: %w", err), conn.Close())
	}
	go s.read()
	return s, nil
}

// errLauncherEnded is the error of requests to a process that has ended.
var errLauncherEnded = errors.New("the process that starts containers has ended")

// request sends a request, and waits for its reply.
func (s *session) request(r launchRequest, files ...*os.File) (*launchedChild, error) {
	reply := make(chan started, 1)
	s.mu.Lock()
	if s.waiting == nil {
		s.mu.Unlock()
		return nil, unavailable(errLauncherEnded)
	}
	s.last++
	r.ID, r.Files = s.last, len(files)
	s.waiting[r.ID] = reply
	s.mu.Unlock()
	if err := sendMessage(s.conn, r, files...); err != nil {
		s.mu.Lock()
		delete(s.waiting, r.ID)
		s.mu.Unlock()
		if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, net.ErrClosed) {
			return nil, unavailable(err)
		}
		return nil, err
	}
	result := <-reply
	return result.child, result.err
}

// unavailable is the error of a launcher's process that has ended, which is no fault of the release.
func unavailable(err error) error {
	return fault.New(fault.Unavailable, "start a container").Cause(err)
}

// Start starts the command. See Starter.
func (s *session) Start(cmd *exec.Cmd) (Child, error) { return s.start(cmd) }

func (s *session) start(cmd *exec.Cmd) (Child, error) {
	command, files, err := describeCommand(cmd)
	if err != nil {
		return nil, err
	}
	child, err := s.request(launchRequest{Command: &command}, files...)
	if err != nil {
		return nil, err
	}
	return child, nil
}

func (s *session) hold(name string, f *os.File) error {
	_, err := s.request(launchRequest{Hold: name}, f)
	return err
}

// endWith lets another process end when the kernel ends that of the session.
func (s *session) endWith(pid int) error {
	_, err := s.request(launchRequest{EndWith: pid})
	return err
}

// end ends the process with what it has started, and waits for it.
func (s *session) end() {
	_ = s.conn.Close() // which is what ends it
	<-s.ended
}

// read takes replies, until the process has ended.
func (s *session) read() {
	buffer := make([]byte, maxLaunchMessage)
	for {
		var r launchReply
		files, err := receiveMessage(s.conn, buffer, &r)
		if err != nil {
			closeFiles(files)
			break
		}
		s.take(r, files)
	}
	s.finish()
}

// take hands a reply to the request that waits for it.
func (s *session) take(r launchReply, files []*os.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Exited {
		if c := s.running[r.ID]; c != nil {
			c.exit <- launchedExit{r.Status, r.err()}
			delete(s.running, r.ID)
		}
		return
	}
	result := started{err: r.err()}
	if r.PID > 0 {
		result.child = newLaunchedChild(r.PID, files)
		s.running[r.ID] = result.child
	}
	if reply := s.waiting[r.ID]; reply != nil {
		reply <- result
		delete(s.waiting, r.ID)
	}
}

// finish waits until the process is gone, and all that it has started: the kernel closes
// its files before it ends its children.
func (s *session) finish() {
	kill(s.child)
	s.mu.Lock()
	waiting, running := s.waiting, s.running
	s.waiting, s.running = nil, nil
	s.mu.Unlock()
	for _, reply := range waiting {
		reply <- started{err: unavailable(errLauncherEnded)}
	}
	for _, c := range running {
		c.finish()
	}
	_ = s.conn.Close()
	close(s.ended)
}

// launchedChild is a child of a launcher's process.
type launchedChild struct {
	pid    int
	handle *os.File // its pidfd; nil: the kernel has none
	exit   chan launchedExit
}

type launchedExit struct {
	status syscall.WaitStatus
	err    error
}

func newLaunchedChild(pid int, files []*os.File) *launchedChild {
	c := &launchedChild{pid: pid, exit: make(chan launchedExit, 1)}
	if len(files) > 0 {
		c.handle = files[0]
		closeFiles(files[1:])
	}
	return c
}

func (c *launchedChild) PID() int { return c.pid }

// Signal sends a signal, unless the process has ended.
func (c *launchedChild) Signal(sig os.Signal) error {
	number, ok := sig.(syscall.Signal)
	if !ok {
		return errors.ErrUnsupported
	}
	if c.handle == nil {
		return unix.Kill(c.pid, number)
	}
	raw, err := c.handle.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = raw.Control(func(fd uintptr) { sent = unix.PidfdSendSignal(int(fd), number, nil, 0) })
	return errors.Join(err, sent)
}

// Release closes the handle of the process.
func (c *launchedChild) Release() error {
	if c.handle == nil {
		return nil
	}
	if err := c.handle.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// Wait waits for the exit.
func (c *launchedChild) Wait() (syscall.WaitStatus, error) {
	e := <-c.exit
	return e.status, e.err
}

// finish ends the process, of which the launcher has ended, and waits until it is gone.
func (c *launchedChild) finish() {
	_ = c.Signal(syscall.SIGKILL) // it has ended
	if c.handle != nil {
		awaitExit(c.handle)
	}
	c.exit <- launchedExit{status: syscall.WaitStatus(syscall.SIGKILL)}
}

// awaitExit waits until the process of a pidfd has ended. One that the kernel can't end,
// as it waits for a disk, is not waited for longer than launchTimeout.
func awaitExit(handle *os.File) {
	raw, err := handle.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { // closed: no request waits for the process
		deadline := time.Now().Add(launchTimeout)
		for time.Now().Before(deadline) {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 1000)
			if n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
				return
			}
		}
	})
}
