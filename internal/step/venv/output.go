package venv

import (
	"bytes"
	"io"
	"regexp"
	"sync"
)

// userinfo is what stands before the host in an address: credentials.
var userinfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^\s/"'<>@]+(?::[^\s/"'<>@]*)?@`)

// installerOutput passes what an installer prints on to the log, line by line and
// without the credentials of addresses, and keeps its end. Safe for concurrent
// use.
type installerOutput struct {
	to io.Writer // may be nil

	mu   sync.Mutex
	rest []byte
	tail []byte
}

// How much is held back and kept, in bytes.
const (
	maxLineBytes = 64 << 10
	maxTailBytes = 64 << 10
)

// Write never fails: trouble with the log is no trouble of the installer.
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

// Close passes on what has no line's end yet.
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

// text is the end of what was printed.
func (t *installerOutput) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.ToValidUTF8(t.tail, nil))
}
