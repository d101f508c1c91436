package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/flock"
	"github.com/slipway-cd/slipway/internal/port"
)

// Poll returns the job's state. One whose runner died is ended here for good,
// so that Done means that nothing of it runs.
func (j *Jobs) Poll(ctx context.Context, h port.JobHandle) (port.JobState, error) {
	folder, err := j.folder(h)
	if err != nil {
		return port.JobState{}, err
	}
	if ctx.Err() != nil {
		return port.JobState{}, fmt.Errorf("poll job %s: %w", h, context.Cause(ctx))
	}
	var state port.JobState
	if done, err := j.readEnd(folder, &state); done || err != nil {
		return state, err
	}
	runner, ok, err := readStarted(folder)
	if err != nil || !ok {
		return port.JobState{}, err // no runner took it: submit it (again)
	}
	state.Found = true
	alive, release, err := probeRunner(folder)
	if err != nil || alive {
		return state, err
	}
	defer release()
	// It may have ended between the two checks.
	if done, err := j.readEnd(folder, &state); done || err != nil {
		return state, err
	}
	reason := "its runner was killed (kill -9, or out of memory)"
	if runner.Boot != bootID() {
		reason = "the machine went down while it ran"
	}
	if err := j.reap(ctx, folder, runner, reason); err != nil {
		return state, err
	}
	_, err = j.readEnd(folder, &state)
	return state, err
}

// readEnd reads how the job ended, if it did.
func (j *Jobs) readEnd(folder string, state *port.JobState) (bool, error) {
	var s endRecord
	ok, err := readJSON(folder, statusFile, &s)
	if err != nil || !ok {
		return false, err
	}
	state.Found, state.Done, state.Exit, state.Reason = true, true, s.Exit, s.Reason
	state.Outputs, err = readOutputs(folder)
	return true, err
}

// readOutputs returns where the job's outputs are stored. The reader computes their
// digests.
func readOutputs(folder string) (map[string]port.Artifact, error) {
	var s jobSpec
	if _, err := readJSON(folder, specFile, &s); err != nil {
		return nil, err
	}
	out := map[string]port.Artifact{}
	for name, uri := range s.Outputs {
		out[name] = port.Artifact{URIs: []string{uri}}
	}
	return out, nil
}

// Log opens the log at the offset.
func (j *Jobs) Log(ctx context.Context, h port.JobHandle, offset int64) (io.ReadCloser, error) {
	folder, err := j.folder(h)
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("read the log of job %s: %w", h, context.Cause(ctx))
	}
	f, err := os.Open(filepath.Join(folder, logFile))
	if errors.Is(err, fs.ErrNotExist) {
		return io.NopCloser(strings.NewReader("")), nil
	}
	if err != nil {
		return nil, fault.New(fault.FileKind(err), "read the log of job %s", h).Cause(err)
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		f.Close()
		return nil, fault.New(fault.Invalid, "read the log of job %s from byte %d", h, offset).Cause(err)
	}
	return f, nil
}

// Stop ends the job with all its processes, also those whose runner is gone or
// that left its session.
func (j *Jobs) Stop(ctx context.Context, h port.JobHandle) error {
	folder, err := j.folder(h)
	if err != nil {
		return err
	}
	runner, ok, err := readStarted(folder)
	if err != nil || !ok {
		return err
	}
	if fileExists(folder, statusFile) {
		return endProcesses(ctx, folder, runner, 0)
	}
	if err := os.WriteFile(filepath.Join(folder, stopFile), nil, 0o600); err != nil {
		return fault.New(fault.FileKind(err), "stop job %s", h).Cause(err)
	}
	if runnerAlive(runner) {
		signalRunner(runner)
	}
	if err := awaitEnd(ctx, folder, j.grace+2*time.Second); err != nil {
		return fmt.Errorf("stop job %s: %w", h, err)
	}
	return j.reap(ctx, folder, runner, stoppedReason)
}

// reap ends what is left of the job and records how it ended, unless that is recorded.
func (j *Jobs) reap(ctx context.Context, folder string, runner startRecord, reason string) error {
	if err := endProcesses(ctx, folder, runner, j.grace); err != nil {
		return err
	}
	if fileExists(folder, stopFile) {
		reason = stoppedReason
	}
	if fileExists(folder, statusFile) {
		return nil
	}
	return writeJSON(folder, statusFile, endRecord{Exit: port.Exit{Code: 128 + 9}, Reason: reason, Ended: time.Now().UTC()})
}

// awaitEnd waits until the runner has recorded how the job ended, or is dead.
func awaitEnd(ctx context.Context, folder string, maxWait time.Duration) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(maxWait); !fileExists(folder, statusFile); {
		isAlive, release, err := probeRunner(folder)
		if err != nil {
			return err
		}
		if !isAlive {
			release()
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-end:
			return nil
		case <-tick.C:
		}
	}
	return nil
}

// probeRunner reports whether the job's runner is alive. If not, release must be called.
func probeRunner(folder string) (alive bool, release func(), err error) {
	f, err := os.OpenFile(filepath.Join(folder, claimLock), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return false, nil, fault.New(fault.FileKind(err), "check the runner of the job in %s", folder).Cause(err)
	}
	free, err := flock.Try(f)
	if err != nil || !free {
		f.Close()
		return true, nil, err
	}
	return false, func() { f.Close() }, nil
}
