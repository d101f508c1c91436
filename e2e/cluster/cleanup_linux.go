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

	"github.com/slipway-cd/slipway/internal/flock"
)

// lockPath is locked by the process that runs a cluster, and records what has to be
// cleaned up.
const lockPath = "/run/slipway-cluster.lock"

// tempPrefix is the prefix of temporary folders; only folders with it are removed
// after a killed test.
const tempPrefix = "slipway-cluster-"

// cleanupTimeout is how long the kernel may take to clean up after killed processes.
const cleanupTimeout = 10 * time.Second

// leftovers is what a cluster leaves on this machine beyond what the kernel cleans up
// by itself. It is saved before it is created.
type leftovers struct {
	Holder    holder      `json:"holder"`
	Dir       string      `json:"dir"`
	Temporary bool        `json:"temporary"`
	Made      []string    `json:"made"` // folders that did not exist before
	Net       namespaceID `json:"net"`
}

// acquire waits until no other process runs a cluster, and cleans up after a killed
// one. Both while it waits and in the error, it names the other process.
func acquire(ctx context.Context, log io.Writer) (*os.File, error) {
	f, err := flock.Lock(ctx, lockPath, func() {
		logf(log, "this machine's one cluster is run by %s: waiting until it stops", describeHolder(lockPath))
	})
	if err != nil {
		return nil, fmt.Errorf("wait for this machine's one cluster, run by %s: %w", describeHolder(lockPath), err)
	}
	if err := removeLeftovers(f, log); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("clean up after a cluster that was not stopped: %w", err)
	}
	return f, nil
}

// removeLeftovers cleans up what the file records, and truncates it.
func removeLeftovers(f *os.File, log io.Writer) error {
	content, err := io.ReadAll(f)
	if err != nil {
		return fmt.Errorf("read %s: %w", lockPath, err)
	}
	if len(content) == 0 {
		return nil
	}
	logf(log, "cleaning up after a cluster that was not stopped")
	var leftovers leftovers
	if err := json.Unmarshal(content, &leftovers); err != nil {
		return fmt.Errorf("read %s: %w", lockPath, err)
	}
	if err := leftovers.restore(); err != nil {
		return err
	}
	return f.Truncate(0)
}

// save writes the record to where the next cluster finds it.
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

// restore brings this machine back to its original state, once the namespaces are
// closed. It is idempotent.
func (r leftovers) restore() error {
	err := errors.Join(disconnect(r.Net, cleanupTimeout), removeCgroups(cleanupTimeout), r.removeState())
	for _, dir := range r.Made {
		if slices.Contains(privateDirs, dir) {
			_ = os.Remove(dir) // stays if it is not empty
		}
	}
	return err
}

// removeState removes the cluster's files. In a folder from Config.Dir, the logs are
// kept.
func (r leftovers) removeState() error {
	if r.Dir == "" {
		return nil // aborted before it had one
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
