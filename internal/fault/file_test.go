package fault_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
)

func TestFileKind(t *testing.T) {
	_, missing := os.Open(filepath.Join(t.TempDir(), "missing"))
	for _, c := range []struct {
		name string
		err  error
		want fault.Kind
	}{
		{"disk full", &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, fault.Exhausted},
		{"quota", fmt.Errorf("write: %w", syscall.EDQUOT), fault.Exhausted},
		{"open files", fmt.Errorf("pipe: %w", syscall.EMFILE), fault.Exhausted},
		{"processes", fmt.Errorf("fork: %w", syscall.EAGAIN), fault.Exhausted},
		{"permission", &fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, fault.Denied},
		{"missing", missing, fault.NotFound},
		{"other", errors.New("other"), fault.Internal},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := fault.FileKind(c.err); got != c.want {
				t.Errorf("FileKind(%v) = %q, want %q", c.err, got, c.want)
			}
		})
	}
}
