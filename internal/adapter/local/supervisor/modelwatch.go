//go:build linux

package supervisor

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/flock"
	"github.com/slipway-cd/slipway/internal/port"
)

// readingSuffix is the end of the name of the file beside a model's folder that
// exists, locked, while Slipway itself may open the model's files.
const readingSuffix = ".reading"

// MarkReading announces that this process is about to open a model's files: that is
// not the service's doing. done ends it.
func MarkReading(ctx context.Context, model string) (done func(), err error) {
	path := model + readingSuffix
	lock, err := flock.Lock(ctx, path, nil)
	if err != nil {
		return nil, fmt.Errorf("lock the model's folder: %w", err)
	}
	if _, err := lock.Write([]byte("x")); err != nil { // seen by the watches, also if the file was left behind
		lock.Close()
		return nil, fmt.Errorf("mark the model's folder: %w", err)
	}
	return func() {
		os.Remove(path) // before the lock is released: others lock a new file
		lock.Close()
	}, nil
}

// modelWatch sees whether the files of a model are opened, by inotify on the
// folder that every replica of the release has mounted. The kernel reports an open
// by its inode, whatever mount it went through: also those of another release with
// the same model. A nil modelWatch sees nothing.
type modelWatch struct {
	model string

	mu        sync.Mutex
	fd        int // -1: closed
	marker    int // watch of the folder that the model's is in
	reading   bool
	opened    bool
	uncertain bool // an open cannot be attributed, or is missing
}

const (
	openEvents   = unix.IN_OPEN | unix.IN_ONLYDIR
	markerEvents = unix.IN_MODIFY | unix.IN_DELETE | unix.IN_ONLYDIR
)

// watchModel starts to watch. It returns nil without a model, and where the kernel
// permits no more watches.
func watchModel(model string) *modelWatch {
	if model == "" {
		return nil
	}
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil
	}
	w := &modelWatch{model: model, fd: fd}
	if err := w.watch(); err != nil {
		w.close()
		return nil
	}
	return w
}

func (w *modelWatch) watch() error {
	var err error
	if w.marker, err = unix.InotifyAddWatch(w.fd, filepath.Dir(w.model), markerEvents); err != nil {
		return err
	}
	held, err := flock.Held(w.model + readingSuffix)
	w.reading = held || err != nil // later changes are events
	return filepath.WalkDir(w.model, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		_, err = unix.InotifyAddWatch(w.fd, path, openEvents)
		return err
	})
}

// use returns what has been seen so far.
func (w *modelWatch) use() port.ModelUse {
	if w == nil {
		return port.ModelUseUnknown
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.readEvents()
	switch {
	case w.opened:
		return port.ModelOpened
	case w.uncertain || w.fd < 0:
		return port.ModelUseUnknown
	}
	return port.ModelNotOpened
}

// readEvents reads what the kernel has queued. The caller holds mu. The events of
// all watches come in the order in which they happened.
func (w *modelWatch) readEvents() {
	buffer := make([]byte, 64<<10)
	for !w.opened && w.fd >= 0 {
		n, err := unix.Read(w.fd, buffer)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n < unix.SizeofInotifyEvent {
			return // no more events
		}
		for rest := buffer[:n]; len(rest) >= unix.SizeofInotifyEvent; {
			size := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(rest[12:]))
			w.handle(int(int32(binary.NativeEndian.Uint32(rest))), binary.NativeEndian.Uint32(rest[4:]), string(bytes.TrimRight(rest[unix.SizeofInotifyEvent:size], "\x00")))
			rest = rest[size:]
		}
	}
	if w.opened { // there is nothing more to see
		w.closeLocked()
	}
}

func (w *modelWatch) handle(watch int, event uint32, name string) {
	switch {
	case event&unix.IN_Q_OVERFLOW != 0:
		w.uncertain = true
	case watch == w.marker && name == filepath.Base(w.model)+readingSuffix:
		w.reading = event&unix.IN_MODIFY != 0
	case watch == w.marker || event&unix.IN_OPEN == 0 || event&unix.IN_ISDIR != 0:
	case w.reading:
		w.uncertain = true
	default:
		w.opened = true
	}
}

func (w *modelWatch) close() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closeLocked()
}

func (w *modelWatch) closeLocked() {
	if w.fd >= 0 {
		unix.Close(w.fd)
		w.fd = -1
	}
}
