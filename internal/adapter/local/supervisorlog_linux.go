package local

import (
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// maxSupervisorLog is the size at which the supervisor's log becomes the old one, in
// bytes. Users of a service can make the front proxy write to it.
const maxSupervisorLog = 4 << 20

const supervisorLog = "supervisor.log"

// rotatingLog is the log of a supervisor: the file that its standard output and error
// were opened to. It is rotated while the supervisor runs, once to ".1".
type rotatingLog struct {
	path string
	next io.Writer // writes to standard error

	mu sync.Mutex
}

// newRotatingLog returns out, rotated if it is the log in the folder: it may also be a
// terminal, or the journal.
func newRotatingLog(dir string, out io.Writer) io.Writer {
	path := filepath.Join(dir, supervisorLog)
	if out != io.Writer(os.Stderr) || !isFile(os.Stderr, path) {
		return out
	}
	return &rotatingLog{path: path, next: out}
}

func isFile(f *os.File, path string) bool {
	opened, err1 := f.Stat()
	there, err2 := os.Stat(path)
	return err1 == nil && err2 == nil && os.SameFile(opened, there)
}

func (l *rotatingLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if info, err := os.Stderr.Stat(); err == nil && info.Size()+int64(len(p)) > maxSupervisorLog {
		l.rotate() // on failure it grows
	}
	return l.next.Write(p)
}

// rotate puts a new file in the place of the descriptors, which also get what the runtime
// writes when it panics.
func (l *rotatingLog) rotate() {
	if os.Rename(l.path, l.path+".1") != nil {
		return
	}
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	for _, fd := range []int{unix.Stdout, unix.Stderr} {
		_ = unix.Dup3(int(f.Fd()), fd, 0) // neither descriptor is closed, so that it can't fail
	}
}
