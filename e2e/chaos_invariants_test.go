//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
)

// chaosProject is a project whose processes are killed at random. Between two rounds
// its state is consistent: every run has ended, and one release is deployed.
type chaosProject struct {
	*project
	rng            *rand.Rand
	round          int
	knownRuns      map[delivery.RunID]bool      // every run that emitted an event
	completedSteps map[string]record.StepRecord // complete at the last kill
	killedRun      delivery.RunID               // run of this round; empty if it emitted no event
	journal        []string                     // what happened in this round, printed if it fails
	shared         *stateProject                // where every command runs on another machine; nil: all run on one
}

func (s *chaosProject) logf(format string, args ...any) {
	s.journal = append(s.journal, fmt.Sprintf(format, args...))
}

func (s *chaosProject) fail(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("round %d: %s\n%s", s.round, fmt.Sprintf(format, args...), strings.Join(s.journal, "\n"))
}

// records opens the records, calls look and closes them.
func (s *chaosProject) records(look func(ctx context.Context, store *sqlite.Store) error) {
	s.t.Helper()
	ctx := s.t.Context()
	var store *sqlite.Store
	var err error
	if s.shared != nil {
		store, err = s.shared.openRecords(ctx)
	} else {
		store, err = sqlite.Open(ctx, filepath.Join(s.home, "slipway.db"), "tiny", nil)
	}
	if err == nil {
		defer store.Close()
		err = look(ctx, store)
	}
	if err != nil {
		s.fail("read the records: %v", err)
	}
}

// recordProgress notes which steps have completed, right after a kill.
func (s *chaosProject) recordProgress(r result) {
	s.t.Helper()
	for _, e := range r.events {
		if e.Run != "" {
			s.knownRuns[delivery.RunID(e.Run)] = true
		}
	}
	s.records(func(ctx context.Context, store *sqlite.Store) error {
		runs, err := store.Runs().Unfinished(ctx)
		for _, run := range runs {
			s.knownRuns[run.ID] = true
			steps, err := store.Runs().ListSteps(ctx, run.ID)
			if err != nil {
				return err
			}
			for _, st := range steps {
				if st.Result != nil && st.Result.Outcome == delivery.OutcomeSucceeded {
					s.completedSteps[string(run.ID)+" "+st.Name] = st
				}
			}
		}
		return err
	})
}

// wantConsistent checks everything that must hold once all runs have ended.
func (s *chaosProject) wantConsistent(want ...delivery.Outcome) {
	s.t.Helper()
	serving := s.wantAllEnded(want)
	s.wantTrainedOnce()
	s.wantWholeEvents()
	st := s.wantDeployed(string(serving))
	for _, r := range st.Replicas {
		if r.Release != string(serving) {
			s.fail("replica %s belongs to release %s, want %s", r.Name, r.Release, serving)
		}
	}
	s.wantOnlyProcessesOf(serving)
}

// wantAllEnded checks that every run has ended as expected and one release is deployed.
func (s *chaosProject) wantAllEnded(want []delivery.Outcome) (serving delivery.ReleaseID) {
	s.t.Helper()
	s.records(func(ctx context.Context, store *sqlite.Store) error {
		if err := s.checkRuns(ctx, store, want); err != nil {
			return err
		}
		var err error
		serving, err = s.deployedRelease(ctx, store)
		return err
	})
	return serving
}

// checkRuns checks that no run is lost, all have ended, the killed one with a wanted
// outcome, and that no step ran again which had completed before a kill.
func (s *chaosProject) checkRuns(ctx context.Context, store *sqlite.Store, want []delivery.Outcome) error {
	s.t.Helper()
	runs, err := port.Collect(record.AllRuns(ctx, store.Runs(), ""))
	if err != nil {
		return err
	}
	known := map[delivery.RunID]bool{}
	for _, run := range runs {
		known[run.ID] = true
		if run.State != record.Ended || run.Outcome == "" {
			s.fail("run %s: state %s, outcome %q, want it ended", run.ID, run.State, run.Outcome)
		}
		if run.ID == s.killedRun && !slices.Contains(want, run.Outcome) {
			s.fail("run %s ended as %s (%s), want %v", run.ID, run.Outcome, run.Cause, want)
		}
	}
	for id := range s.knownRuns {
		if !known[id] {
			s.fail("run %s is missing in the records", id)
		}
	}
	for key, before := range s.completedSteps {
		steps, err := store.Runs().ListSteps(ctx, before.Run)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(steps, func(st record.StepRecord) bool { return st.Name == before.Name })
		if i < 0 || steps[i].Attempt != before.Attempt || !steps[i].Begun.Equal(before.Begun) {
			s.fail("step %s ran again after it had completed (-before +now):\n%s", key, cmp.Diff(before, steps[max(i, 0)]))
		}
	}
	clear(s.completedSteps)
	return nil
}

// deployedRelease returns the one deployed release, which must not be quarantined.
func (s *chaosProject) deployedRelease(ctx context.Context, store *sqlite.Store) (delivery.ReleaseID, error) {
	s.t.Helper()
	history, err := port.Collect(port.AllDeployments(ctx, store.Deployments(), port.DeploymentFilter{Environment: "prod"}))
	if err != nil {
		return "", err
	}
	var serving []delivery.Deployment
	for _, d := range history {
		if d.State == delivery.Deploying || d.State == delivery.Stuck {
			s.fail("deployment of %s by run %s is %s, want it ended or serving", d.Release, d.Run, d.State)
		}
		if d.State == delivery.Serving {
			serving = append(serving, d)
		}
	}
	if len(serving) != 1 {
		s.fail("%d deployments are serving, want 1: %+v", len(serving), serving)
	}
	saved, err := store.Releases().Get(ctx, serving[0].Release)
	if err == nil && saved.Quarantined != nil {
		s.fail("%s is deployed, but quarantined: %s", saved.ID, saved.Quarantined.Reason)
	}
	return saved.ID, err
}

// wantTrainedOnce checks that each training job ran once; its output folder names it.
func (s *chaosProject) wantTrainedOnce() {
	s.t.Helper()
	lines := s.trainingLines()
	slices.Sort(lines)
	for i := 1; i < len(lines); i++ {
		if lines[i] == lines[i-1] {
			s.fail("a training job ran twice: %s", lines[i])
		}
	}
}

// wantWholeEvents checks that every line of every run's events is complete JSON.
func (s *chaosProject) wantWholeEvents() {
	s.t.Helper()
	if s.shared != nil {
		return // they are on machines that are gone
	}
	files, _ := filepath.Glob(filepath.Join(s.home, "runs", "*", "events.jsonl"))
	if len(files) == 0 {
		s.fail("no run left events")
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		s.must(err)
		for line := range bytes.Lines(text) {
			if !json.Valid(line) {
				s.fail("%s: invalid JSON line %q", path, line)
			}
		}
	}
}

// wantOnlyProcessesOf checks that only processes of the release are left after draining.
func (s *chaosProject) wantOnlyProcessesOf(serving delivery.ReleaseID) {
	s.t.Helper()
	if len(s.processes("SLIPWAY_RELEASE="+string(serving))) == 0 {
		s.fail("no process of %s was found", serving)
	}
	strange := func() (found []process) {
		for _, proc := range s.processes("SLIPWAY_RELEASE=") {
			if !strings.Contains(proc.environ+proc.command, string(serving)) {
				found = append(found, proc)
			}
		}
		return found
	}
	if !s.eventually(5*time.Second, func() bool { return len(strange()) == 0 }) {
		s.fail("processes of other releases than %s are left: %v", serving, strange())
	}
}
