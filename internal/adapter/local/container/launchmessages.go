//go:build linux

package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/fault"
)

// maxLaunchMessage is the size of a message between a Launcher and its process, in
// bytes: by default the kernel takes 208 KiB at once. The arguments of a program are in it.
const maxLaunchMessage = 192 << 10

// maxLaunchFiles is how many files come with a message.
const maxLaunchFiles = 8

// launchRequest is what a Launcher asks of its process, in one message with files.
type launchRequest struct {
	ID    int `json:"id,omitempty"`
	Files int `json:"files"` // that come with the message

	Command *launchCommand `json:"command,omitempty"`
	Hold    string         `json:"hold,omitempty"` // the name of the file, for which that of an earlier request is closed
	EndWith int            `json:"end_with,omitempty"`
}

// launchCommand is an exec.Cmd: the files are its output and its errors, as far as it has
// them, and then the others.
type launchCommand struct {
	Path   string               `json:"path"`
	Args   []string             `json:"args"`
	Env    []string             `json:"env"`
	Dir    string               `json:"dir"`
	Stdout bool                 `json:"stdout"`
	Stderr bool                 `json:"stderr"`
	Attr   *syscall.SysProcAttr `json:"attr"`
}

// launchReply is what the process tells: at its start, with the number 0, that it is
// ready, and for each request that it is done, and later how the command ended. A command
// that was started comes with its pidfd.
type launchReply struct {
	ID     int                `json:"id"`
	PID    int                `json:"pid,omitempty"`
	Error  string             `json:"error,omitempty"`
	Errno  syscall.Errno      `json:"errno,omitempty"`
	Action string             `json:"action,omitempty"` // that failed, see sandbox.Report
	Exited bool               `json:"exited,omitempty"`
	Status syscall.WaitStatus `json:"status,omitempty"`
}

// err returns the error of the reply.
func (r launchReply) err() error {
	if r.Error == "" {
		return nil
	}
	return &launchError{r.Error, r.Errno}
}

// launchError is an error of the launcher's process, with its number.
type launchError struct {
	text  string
	errno syscall.Errno
}

func (e *launchError) Error() string { return e.text }

func (e *launchError) Unwrap() error {
	if e.errno == 0 {
		return nil
	}
	return e.errno
}

// describeCommand returns what the process has to know, and the files.
func describeCommand(cmd *exec.Cmd) (c launchCommand, files []*os.File, err error) {
	c = launchCommand{Path: cmd.Path, Args: cmd.Args, Env: cmd.Env, Dir: cmd.Dir, Stdout: cmd.Stdout != nil, Stderr: cmd.Stderr != nil, Attr: cmd.SysProcAttr}
	for _, w := range []any{cmd.Stdout, cmd.Stderr} {
		if w == nil {
			continue
		}
		f, ok := w.(*os.File)
		if !ok {
			return c, nil, fault.New(fault.Internal, "start %s: its output goes to a %T", cmd.Path, w)
		}
		files = append(files, f)
	}
	return c, append(files, cmd.ExtraFiles...), nil
}

// command returns the command with the files.
func (c *launchCommand) command(files []*os.File) *exec.Cmd {
	cmd := &exec.Cmd{Path: c.Path, Args: c.Args, Env: c.Env, Dir: c.Dir, SysProcAttr: c.Attr}
	if c.Stdout {
		cmd.Stdout, files = files[0], files[1:]
	}
	if c.Stderr {
		cmd.Stderr, files = files[0], files[1:]
	}
	cmd.ExtraFiles = files
	return cmd
}

// outputs is how many of the files are its output and its errors.
func (c *launchCommand) outputs() (n int) {
	for _, has := range []bool{c.Stdout, c.Stderr} {
		if has {
			n++
		}
	}
	return n
}

// socketPair returns a connection whose messages keep their bounds and carry files, and
// its other end for another process.
func socketPair(name string) (ours *net.UnixConn, theirs *os.File, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("create a pair of sockets: %w", err)
	}
	theirs = os.NewFile(uintptr(pair[1]), name)
	ours, err = connOf(pair[0], name)
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return ours, theirs, nil
}

// connOf takes a file descriptor over, which is a socket.
func connOf(fd int, name string) (*net.UnixConn, error) {
	file := os.NewFile(uintptr(fd), name)
	if file == nil {
		return nil, fmt.Errorf("use the socket %s: %w", name, os.ErrClosed)
	}
	defer file.Close() // FileConn has copied it
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, fmt.Errorf("use the socket %s: %w", name, err)
	}
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("use the socket %s: it is a %T", name, conn), conn.Close())
	}
	return socket, nil
}

// sendMessage sends a value with files, of which it makes copies.
func sendMessage(conn *net.UnixConn, value any, files ...*os.File) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if len(raw) > maxLaunchMessage {
		return fault.New(fault.Invalid, "the arguments of a container have %d bytes, more than %d", len(raw), maxLaunchMessage).
			Hint("give the service a configuration file instead")
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = unix.UnixRights(fds...)
	}
	_, _, err = conn.WriteMsgUnix(raw, rights, nil)
	return err
}

// receiveMessage receives a value and the files that came with it, which are closed on
// exec.
func receiveMessage(conn *net.UnixConn, buffer []byte, value any) ([]*os.File, error) {
	rights := make([]byte, unix.CmsgSpace(4*maxLaunchFiles))
	n, size, flags, _, err := conn.ReadMsgUnix(buffer, rights)
	if err != nil {
		return nil, err
	}
	files := receivedFiles(rights[:size])
	if n == 0 || flags&unix.MSG_TRUNC != 0 {
		return files, net.ErrClosed
	}
	return files, json.Unmarshal(buffer[:n], value)
}

// receivedFiles returns the files in control messages.
func receivedFiles(rights []byte) (files []*os.File) {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // nothing was written to it here
	}
}
