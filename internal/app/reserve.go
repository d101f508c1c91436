package app

import (
	"context"
	"crypto/rand"
	"io"
	"os"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/atomicfile"
)

// The reserve is a file of random bytes in the state folder. Once the disk is full, it
// is removed for the commands that help out of that: they have to record what they do.
const (
	reserveName = "reserve"
	reserveSize = 8 << 20
	// minFreeToReserve is the free space from which a reserve is made.
	minFreeToReserve = 4 * reserveSize
	// minFreeToWork is the free space below which it is given up.
	minFreeToWork = reserveSize / 2
)

// keepReserve makes the reserve unless it is there, or the disk is too full. It does
// without one if it can't: no command fails because of it.
func keepReserve(home string) {
	path := filepath.Join(home, reserveName)
	if _, err := os.Stat(path); err == nil {
		return
	}
	if free, known := freeSpace(home); !known || free < minFreeToReserve {
		return
	}
	f, err := atomicfile.Create(path, 0o600)
	if err != nil {
		return
	}
	defer f.Close() // a no-op once committed
	if _, err := io.CopyN(f, rand.Reader, reserveSize); err == nil {
		_ = f.Commit()
	}
}

// useReserve gives the reserve up if the disk is full. The next run that finds enough
// space makes another one.
func (a *App) useReserve(ctx context.Context) {
	place, err := a.locateWorkspace()
	if err != nil {
		return // reported by what comes next
	}
	if free, known := freeSpace(place.Home); !known || free >= minFreeToWork {
		return
	}
	if place, err = a.findWorkspace(ctx); err == nil {
		_ = os.Remove(filepath.Join(place.Home, reserveName)) // there may be none
	}
}
