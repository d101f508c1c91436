//go:build linux

package supervisor

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/redact"
)

const (
	maxLine    = 16 << 10
	maxTail    = 20
	timeFormat = "2006-01-02T15:04:05.000000Z" // fixed width, so that lines sort by time
)

// logFile is the log of a replica: lines with timestamps, rotated once to ".1".
type logFile struct {
	path string
	max  int64 // size in bytes at which it is rotated
	now  func() time.Time

	redactor *redact.Redactor // of the release's secrets

	mu        sync.Mutex
	file      *os.File
	size      int64
	tailLines []string // of the current container
}

// reset drops the last lines, which belong to a previous container.
func (l *logFile) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tailLines = nil
}

// tail returns the last lines of the current container.
func (l *logFile) tail() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.tailLines...)
}

// copy writes lines until r ends. Errors only lose lines: a replica must not
// block because its log cannot be written.
func (l *logFile) copy(r io.Reader) {
	lines := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := lines.ReadSlice('\n')
		if len(line) > 0 {
			l.write(string(bytes.TrimRight(line, "\r\n")))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

func (l *logFile) write(line string) {
	line = l.redactor.Text(line)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tailLines = append(l.tailLines, line)
	if len(l.tailLines) > maxTail {
		l.tailLines = l.tailLines[1:]
	}
	if l.size > l.max {
		l.close()
		_ = os.Rename(l.path, l.path+".1") // on failure the file grows
	}
	if l.file == nil && l.open() != nil {
		return
	}
	n, _ := l.file.WriteString(l.now().UTC().Format(timeFormat) + " " + line + "\n")
	l.size += int64(n)
}

func (l *logFile) open() error {
	if err := os.MkdirAll(filepath.Dir(l.path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	l.file, l.size = f, info.Size()
	return nil
}

func (l *logFile) close() {
	if l.file != nil {
		l.file.Close()
		l.file, l.size = nil, 0
	}
}

// finish closes the file.
func (l *logFile) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.close()
}

func logDir(dir, service string, env delivery.Environment) string {
	return filepath.Join(dir, "logs", service, string(env))
}

// ReadLogs returns the last lines of every replica of the releases (none: of all
// releases), merged by time: "time replica | text".
func ReadLogs(dir, service string, env delivery.Environment, releases []delivery.ReleaseID, lines int) ([]string, error) {
	folder := logDir(dir, service, env)
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var merged []string
	for _, e := range entries {
		replica, ok := strings.CutSuffix(e.Name(), ".log")
		if !ok || !belongsTo(replica, releases) {
			continue
		}
		found, err := tailFile(filepath.Join(folder, e.Name()), lines)
		if err != nil {
			return nil, err
		}
		for _, line := range found {
			when, text, _ := strings.Cut(line, " ")
			merged = append(merged, when+" "+replica+" | "+text)
		}
	}
	slices.SortStableFunc(merged, func(a, b string) int {
		return strings.Compare(a[:min(len(timeFormat), len(a))], b[:min(len(timeFormat), len(b))])
	})
	return merged, nil
}

func belongsTo(replica string, releases []delivery.ReleaseID) bool {
	for _, release := range releases {
		if strings.HasPrefix(replica, string(release)+"-") {
			return true
		}
	}
	return len(releases) == 0
}

// tailFile reads the last n lines of a log, including the rotated file.
func tailFile(path string, n int) ([]string, error) {
	var all []string
	for _, p := range []string{path + ".1", path} {
		raw, err := os.ReadFile(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(raw)) {
			all = append(all, strings.TrimRight(line, "\n"))
		}
	}
	return all[max(0, len(all)-n):], nil
}
