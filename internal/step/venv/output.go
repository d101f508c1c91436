package venv

import (
	"bytes"
	"io"
	"sync"

	"github.com/slipway-cd/slipway/internal/redact"
)

// maxTailBytes is how much of an installer's output is kept.
const maxTailBytes = 64 << 10

// installerOutput passes an installer's output on to the log, line by line and
// without the credentials in URLs, and keeps the end. Safe for concurrent use.
type installerOutput struct {
	io.WriteCloser
	tail *tail
}

func newInstallerOutput(log io.Writer) installerOutput {
	t := &tail{to: log}
	return installerOutput{redact.LineWriter(t, redact.Userinfo), t}
}

// text returns the end of the output.
func (o installerOutput) text() string { return o.tail.String() }

// tail passes everything on and keeps the end.
type tail struct {
	to io.Writer // may be nil

	mu   sync.Mutex
	kept []byte
}

// Write never fails: an error of the log is not the installer's.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.to != nil {
		_, _ = t.to.Write(p)
	}
	t.kept = append(t.kept, p...)
	if extra := len(t.kept) - maxTailBytes; extra > 0 {
		t.kept = append([]byte(nil), t.kept[extra:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.ToValidUTF8(t.kept, nil))
}
