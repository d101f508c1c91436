package record

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Overtaker is a run whose release is deployed where an earlier run still waits.
type Overtaker struct {
	Run     delivery.RunID     `json:"run"`
	Release delivery.ReleaseID `json:"release"`
	Commit  string             `json:"commit,omitempty"` // empty: not known
	By      string             `json:"by,omitempty"`
	Since   time.Time          `json:"since,omitzero"`
}

func (o Overtaker) String() string {
	var about []string
	if o.Commit != "" {
		about = append(about, "commit "+delivery.Commit{SHA: o.Commit}.Short())
	}
	if o.By != "" {
		about = append(about, "by "+o.By)
	}
	s := fmt.Sprintf("run %s", o.Run)
	if len(about) > 0 {
		s += " (" + strings.Join(about, ", ") + ")"
	}
	if !o.Since.IsZero() {
		s += ", deployed since " + o.Since.UTC().Format("2006-01-02 15:04 MST")
	}
	return s
}

// FindOvertaker returns the run that overtook the given one while it waited: the one
// that made its environment's current deployment, or was skipped because that is what
// its commit makes, too; if it was created later. Nil: none did. A run that never
// waited keeps its place in the queue and is not overtaken.
func FindOvertaker(ctx context.Context, runs RunHistory, run RunSummary, current delivery.Deployment) (*Overtaker, error) {
	waited := run.State == Waiting || run.Turn > 1
	if !waited || current.Run == "" || current.Run == run.ID {
		return nil, nil
	}
	o, err := deployedLater(ctx, runs, run, current)
	if o != nil || err != nil {
		return o, err
	}
	return skippedLater(ctx, runs, run, current)
}

// skippedLater finds a later run that wanted what is deployed, such as that of a
// revert.
func skippedLater(ctx context.Context, runs RunHistory, run RunSummary, current delivery.Deployment) (*Overtaker, error) {
	newest, _, err := runs.List(ctx, run.Environment, port.Page{})
	if err != nil {
		return nil, err
	}
	for _, r := range newest {
		if r.Outcome == delivery.OutcomeSkipped && r.Release == current.Release && r.CreatedAt.After(run.CreatedAt) {
			return &Overtaker{Run: r.ID, Release: r.Release, Commit: r.Commit, By: r.By.String(), Since: current.ServingAt}, nil
		}
	}
	return nil, nil
}

// deployedLater returns the run of the current deployment if it was created later.
func deployedLater(ctx context.Context, runs RunHistory, run RunSummary, current delivery.Deployment) (*Overtaker, error) {
	o := Overtaker{Run: current.Run, Release: current.Release, Commit: current.Commit, By: current.By, Since: current.ServingAt}
	other, err := runs.Get(ctx, current.Run)
	switch {
	case err == nil:
		o.Commit, o.By = other.Commit, other.By.String()
		if !other.CreatedAt.After(run.CreatedAt) {
			return nil, nil
		}
	case fault.Is(err, fault.NotFound), fault.Is(err, fault.Conflict):
		// Another machine's, or of a newer version: its ID begins with the time.
		if createdAt(current.Run) <= createdAt(run.ID) {
			return nil, nil
		}
	default:
		return nil, err
	}
	return &o, nil
}

// createdAt is the part of an ID that sorts by time.
func createdAt(id delivery.RunID) string {
	return string(id[:max(0, strings.LastIndexByte(string(id), '-'))])
}
