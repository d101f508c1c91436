package atomicfile_test

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/slipway-cd/slipway/internal/atomicfile"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func TestWrite_DiskFull(t *testing.T) {
	disk := porttest.SmallDisk(t, "1m")
	path := filepath.Join(disk, "file")
	if err := atomicfile.Write(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Write(path, make([]byte, 4<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Write on a full disk = %v, want %v", err, syscall.ENOSPC)
	}
	wantContent(t, path, "old")
	wantFiles(t, disk, "file")
	if err := atomicfile.Write(path, []byte("new"), 0o600); err != nil {
		t.Errorf("the disk has room again: %v", err)
	}
	wantContent(t, path, "new")
}
