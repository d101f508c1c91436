package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/e2e/prebuild"
)

// lockPath is locked by whoever has a cluster, and tells what is to be put back.
const lockPath = "/run/slipway-cluster.lock"

// tempPrefix starts the names of temporary folders; only such are removed as a
// killed test's.
const tempPrefix = "slipway-cluster-"

// cleanupTimeout is how long the kernel may take to clear up behind killed processes.
const cleanupTimeout = 10 * time.Second

// leftovers is what a cluster leaves on this machine, beside what the kernel clears up
// by itself. It is written down before it is made.
type leftovers struct {
	Dir       string      `json:"dir"`
	Temporary bool        `json:"temporary"`
	Made      []string    `json:"made"` // folders that this machine did not have
	Net       namespaceID `json:"net"`
}

// acquire waits until no other process has a cluster, and puts back what a killed one
// left.
func acquire(ctx context.Context, log io.Writer) (*os.File, error) {
	f, err := prebuild.Lock(ctx, lockPath, func() { logf(log, "another process has a cluster on this machine: waiting until it stops") })
	if err != nil {
		return nil, err
	}
	if err := removeLeftovers(f, log); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("clear up behind a cluster that was not stopped: %w", err)
	}
	return f, nil
}

// removeLeftovers puts back what the file tells of, and empties it.
func removeLeftovers(f *os.File, log io.Writer) error {
	content, err := io.ReadAll(f)
	if err != nil {
		return fmt.Errorf("read %s: %w", lockPath, err)
	}
	if len(content) == 0 {
		return nil
	}
	logf(log, "clearing up behind a cluster that was not stopped")
	var leftovers leftovers
	if err := json.Unmarshal(content, &leftovers); err != nil {
		return fmt.Errorf("read %s: %w", lockPath, err)
	}
	if err := leftovers.restore(); err != nil {
		return err
	}
	return f.Truncate(0)
}

// save keeps the record where the next cluster finds it.
func (r leftovers) save(f *os.File) error {
	content, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode the record of the cluster: %w", err)
	}
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("write %s: %w", lockPath, err)
	}
	if _, err := f.WriteAt(content, 0); err != nil {
		return fmt.Errorf("write %s: %w", lockPath, err)
	}
	return nil
}

// restore makes this machine as it was, once the room has ended. It may be called
// again.
func (r leftovers) restore() error {
	err := errors.Join(disconnect(r.Net, cleanupTimeout), removeCgroups(cleanupTimeout), r.removeState())
	for _, dir := range r.Made {
		if slices.Contains(privateDirs, dir) {
			_ = os.Remove(dir) // stays if somebody else put something there meanwhile
		}
	}
	return err
}

// removeState removes what the cluster wrote. In a folder that was given, the logs
// stay.
func (r leftovers) removeState() error {
	if r.Dir == "" {
		return nil // it was given up before
	}
	if r.Temporary {
		if !strings.HasPrefix(filepath.Base(r.Dir), tempPrefix) {
			return nil
		}
		return os.RemoveAll(r.Dir)
	}
	var err error
	for _, name := range stateDirs {
		if name != "logs" {
			err = errors.Join(err, os.RemoveAll(filepath.Join(r.Dir, name)))
		}
	}
	return err
}
