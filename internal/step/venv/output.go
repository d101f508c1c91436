package venv

import (
	"bytes"
	"io"
	"regexp"
	"sync"
)

// userinfo matches the credentials before the host of a URL.
var userinfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^\s/"'<>@]+(?::[^\s/"'<>@]*)?@`)

// installerOutput passes an installer's output on to the log, line by line and
// without the credentials in URLs, and keeps the end. Safe for concurrent use.
type installerOutput struct {
	to io.Writer // may be nil

	mu   sync.Mutex
	rest []byte
	tail []byte
}

// How much is buffered, and kept.
const (
	maxLineBytes = 64 << 10
	maxTailBytes = 64 << 10
)

// Write never fails: an error of the log is not the installer's.
func (t *installerOutput) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rest = append(t.rest, p...)
	end := bytes.LastIndexByte(t.rest, '\n') + 1
	if end == 0 && len(t.rest) > maxLineBytes {
		end = len(t.rest)
	}
	t.flush(end)
	return len(p), nil
}

// Close passes on a last line without an end.
func (t *installerOutput) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.flush(len(t.rest))
}

func (t *installerOutput) flush(end int) {
	if end == 0 {
		return
	}
	clean := userinfo.ReplaceAll(t.rest[:end], []byte("${1}***@"))
	t.rest = append([]byte(nil), t.rest[end:]...)
	if t.to != nil {
		_, _ = t.to.Write(clean)
	}
	t.tail = append(t.tail, clean...)
	if extra := len(t.tail) - maxTailBytes; extra > 0 {
		t.tail = append([]byte(nil), t.tail[extra:]...)
	}
}

// text returns the end of the output.
func (t *installerOutput) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.ToValidUTF8(t.tail, nil))
}
