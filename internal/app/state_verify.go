package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/shared"
	"github.com/slipway-cd/slipway/internal/record/statelog"
	"github.com/slipway-cd/slipway/internal/scratch"
)

// StateVerification is what `slipway state verify` found.
type StateVerification struct {
	Location  string         `json:"location"`
	Log       string         `json:"log"`
	First     int64          `json:"first"` // number of the first entry
	Last      int64          `json:"last"`  // number of the newest entry that is sound
	Snapshots int            `json:"snapshots"`
	Blobs     statelog.Count `json:"blobs"`
	Problems  []StateProblem `json:"problems"`
}

// StateProblem is something that is damaged, and what to do about it.
type StateProblem struct {
	Problem string `json:"problem"`
	Hint    string `json:"hint,omitempty"`
}

// VerifyState reads the whole shared state: whether each entry follows the one before it,
// whether each snapshot is what the entries come to, and whether blobs are what they are
// named after. It needs no records of this machine, and changes nothing.
func (a *App) VerifyState(ctx context.Context) (v StateVerification, err error) {
	s, err := a.openSharedState(ctx)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	v = StateVerification{Location: s.Location, Log: s.Log.Identity.ID, Problems: []StateProblem{}}
	found, err := a.verifyLog(ctx, s)
	if err != nil {
		return v, err
	}
	v.First, v.Last, v.Snapshots = found.First, found.Last, len(found.Snapshots)
	progress := a.progress("checked %d blobs")
	blobs, damaged, err := s.VerifyBlobs(ctx, func(done int) { progress(int64(done)) })
	v.Blobs = blobs
	for _, problem := range append(found.Problems, damaged...) {
		v.Problems = append(v.Problems, StateProblem{problem.Error(), fault.HintOf(problem)})
	}
	return v, err
}

// openSharedState opens the shared state without the records: they can't be opened if it
// is damaged.
func (a *App) openSharedState(ctx context.Context) (*shared.State, error) {
	place, err := a.findWorkspace(ctx)
	if err != nil {
		return nil, err
	}
	rules, _, err := a.localPolicy(place.Repository)
	if err != nil {
		return nil, err
	}
	project, err := a.loadProject(place.Repository, rules)
	if err == nil {
		err = a.checkStateAddress(rules, project.State.URL)
	}
	if err == nil {
		err = a.placeState(&place, project, true)
	}
	if err != nil {
		return nil, err
	}
	if place.State == "" {
		return nil, noSharedState()
	}
	s, err := a.OpenState(ctx, place)
	if err != nil {
		return nil, err
	}
	if s.Log == nil {
		return nil, errors.Join(fault.New(fault.NotFound, "nothing was shared in %s yet", s.Location), s.Close())
	}
	return s, nil
}

// verifyLog applies the log in a temporary folder.
func (a *App) verifyLog(ctx context.Context, s *shared.State) (v record.LogVerification, err error) {
	tmp, err := scratch.New("", scratchPrefix, a.Clock())
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, tmp.Close()) }()
	dir := filepath.Join(tmp.Files(), "verify")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return v, fmt.Errorf("create a folder for the verification: %w", err)
	}
	return a.VerifyLog(ctx, s, dir, a.progress("checked entries up to %d"))
}

// progress reports a growing number at intervals. It is not safe for concurrent use.
func (a *App) progress(format string) func(n int64) {
	last := a.Clock()
	return func(n int64) {
		if now := a.Clock(); a.Sink != nil && now.Sub(last) >= minProgressInterval {
			last = now
			a.Sink.Emit(event.Event{Time: now, Kind: event.Notice, Text: fmt.Sprintf(format, n)})
		}
	}
}
