package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/engine"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
)

// pollInterval is the interval at which a followed log is read.
const pollInterval = 100 * time.Millisecond

// Logs writes what a run's steps printed, or one step's; with follow until the
// run has ended.
func (a *App) Logs(ctx context.Context, ref, stepName string, follow bool, w io.Writer) error {
	return a.withSession(ctx, func(s *session) error {
		r, err := s.run(ctx, ref)
		if err != nil {
			return err
		}
		if stepName != "" {
			if err := s.checkStep(ctx, r, stepName); err != nil {
				return err
			}
		}
		t := &logTail{home: s.workspace.Home, run: r.ID, only: stepName, offsets: map[string]int64{}, out: bufio.NewWriter(w), elsewhere: s.elsewhere(r.ID)}
		for {
			now, err := s.deps.Runs.Get(ctx, r.ID)
			if err != nil {
				return err
			}
			steps, err := s.deps.Runs.ListSteps(ctx, r.ID)
			if err != nil {
				return err
			}
			if err := t.elsewhere.update(ctx); err != nil {
				return err
			}
			if err := t.copy(ctx, steps); err != nil {
				return err
			}
			if over := now.State == record.Ended || now.State == record.Waiting; over || !follow {
				return nil
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(pollInterval):
			}
		}
	})
}

func (s *session) checkStep(ctx context.Context, r record.Run, name string) error {
	names := []string{}
	for _, spec := range r.Plan.Steps {
		names = append(names, spec.Name)
	}
	steps, err := s.deps.Runs.ListSteps(ctx, r.ID)
	for _, st := range steps {
		names = append(names, st.Name)
	}
	for _, n := range names {
		if n == name {
			return err
		}
	}
	return errors.Join(err, fault.New(fault.NotFound, "run %s has no step %q", r.ID, name).Hint("its steps are %v", names))
}

// logTail copies what was appended to log files since the last time.
type logTail struct {
	home     string
	run      delivery.RunID
	only     string
	offsets  map[string]int64
	lastStep string // step whose lines came last
	out      *bufio.Writer

	elsewhere *elsewhere
}

func (t *logTail) copy(ctx context.Context, steps []record.StepRecord) error {
	for _, st := range steps {
		if t.only != "" && st.Name != t.only {
			continue
		}
		if err := t.copyElsewhere(ctx, t.elsewhere.before, st.Name); err != nil {
			return err
		}
		if err := t.copyStep(st.Name); err != nil {
			return err
		}
		if err := t.copyElsewhere(ctx, t.elsewhere.after, st.Name); err != nil {
			return err
		}
	}
	return t.out.Flush()
}

func (t *logTail) copyStep(name string) error {
	f, err := os.Open(engine.LogPath(t.home, t.run, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it printed nothing
	}
	if err != nil {
		return fmt.Errorf("read the log of %s: %w", name, err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size <= t.offsets[name] {
		return err
	}
	if _, err := f.Seek(t.offsets[name], io.SeekStart); err != nil {
		return err
	}
	return t.append(name, name, f)
}

// append writes what comes from a source of the step's lines.
func (t *logTail) append(name, source string, r io.Reader) error {
	if t.only == "" && t.lastStep != name {
		fmt.Fprintf(t.out, "==> %s <==\n", name)
		t.lastStep = name
	}
	n, err := io.Copy(t.out, r)
	t.offsets[source] += n
	return err
}

// copyElsewhere is copyStep for what other machines saved, which is read again if it has
// changed.
func (t *logTail) copyElsewhere(ctx context.Context, files []record.RunFile, name string) error {
	return t.elsewhere.copy(ctx, t.elsewhere.changed(files), name+".log", func(f record.RunFile, r io.Reader) error {
		source := fmt.Sprintf("%d %s", f.Epoch, f.Name)
		if _, err := io.CopyN(io.Discard, r, t.offsets[source]); err != nil {
			return err
		}
		lines := bufio.NewReader(r)
		if _, err := lines.Peek(1); errors.Is(err, io.EOF) {
			return nil
		}
		return t.append(name, source, lines)
	})
}

// ServiceLogs writes the last lines that the service's replicas printed.
func (a *App) ServiceLogs(ctx context.Context, env delivery.Environment, lines int, w io.Writer) error {
	return a.withSession(ctx, func(s *session) error {
		target, err := s.target(env)
		if err != nil {
			return err
		}
		logs, ok := target.(port.LogReader)
		if !ok {
			return fault.New(fault.Unavailable, "the target of %s does not provide logs", env)
		}
		out, err := logs.ReplicaLogs(ctx, s.project.Service, env, lines)
		for _, l := range out {
			fmt.Fprintln(w, s.redactor.Text(l))
		}
		return err
	})
}
