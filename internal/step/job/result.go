package job

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// FailureCause returns why a command that ended with e has failed, or "" if it
// has not.
func FailureCause(e port.Exit, command string) (cause, hint string) {
	switch {
	case e.TimedOut:
		return "the command timed out and was stopped", "increase the step's timeout, or make the command faster"
	case e.Code == 0:
		return "", ""
	case e.Code == 126 || e.Code == 127:
		return fmt.Sprintf("the shell could not start the command (exit %d): %s", e.Code, firstLine(command)),
			"install the program, or use its full path"
	case e.Code == 137:
		return "the command was killed (exit 137)", "the usual cause of SIGKILL is running out of memory"
	case e.Code > 128:
		return fmt.Sprintf("the command was terminated by signal %d", e.Code-128), ""
	}
	return fmt.Sprintf("the command failed (exit %d)", e.Code), ""
}

// CommandFailed returns the result of a step whose command has failed, with the last line
// of its output. failed is false if it has not.
func CommandFailed(e port.Exit, command, last string) (res step.Result, failed bool) {
	cause, hint := FailureCause(e, command)
	if cause == "" {
		return step.Result{}, false
	}
	if last != "" {
		cause += "; last line of output: " + last
	}
	res = step.Fail("%s", cause)
	res.Hint = hint
	return res, true
}

func firstLine(s string) string {
	line, _, more := strings.Cut(strings.TrimSpace(s), "\n")
	if more {
		return line + " ..."
	}
	return line
}

// TailWriter is a writer that passes everything on and keeps the end, for the
// cause of a failure. Safe for concurrent use.
type TailWriter struct {
	To io.Writer // may be nil

	mu   sync.Mutex
	tail []byte
}

// tailBytes is how much of the output's end is kept.
const tailBytes = 2048

// Write fails only if To does.
func (l *TailWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = append(l.tail, p[max(0, len(p)-tailBytes):]...)
	l.tail = append([]byte(nil), l.tail[max(0, len(l.tail)-tailBytes):]...)
	if l.To == nil {
		return len(p), nil
	}
	return l.To.Write(p)
}

// LastLine returns the last line, at most 200 bytes of it.
func (l *TailWriter) LastLine() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := bytes.Split(bytes.TrimSpace(l.tail), []byte("\n"))
	line := strings.ToValidUTF8(string(bytes.TrimSpace(lines[len(lines)-1])), "")
	if len(line) > 200 {
		line = strings.ToValidUTF8(line[:200], "") + "..."
	}
	return line
}
