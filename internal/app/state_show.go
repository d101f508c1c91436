package app

import (
	"context"
	"os"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

// StateView is what `slipway state show` shows.
type StateView struct {
	Location     string                 `json:"location"`           // without credentials
	Shared       bool                   `json:"shared"`             // false: it is this machine's alone
	Log          *LogView               `json:"log,omitempty"`      // nil: nothing was shared there yet
	Snapshots    statelog.Count         `json:"snapshots,omitzero"` //
	Blobs        statelog.Count         `json:"blobs,omitzero"`     // results, models and images, by content
	RunLogs      statelog.Count         `json:"run_logs,omitzero"`  //
	Runs         []OwnedRun             `json:"runs"`               // that have not ended
	Environments []delivery.Environment `json:"environments_here"`  // that every machine has for itself
	Anchors      []EnvironmentAnchor    `json:"anchors"`            // what the targets remember
	Unpushed     bool                   `json:"unpushed,omitempty"` // this machine has records that are not in the shared state
}

// LogView describes the log of a shared state.
type LogView struct {
	ID       string            `json:"id"`
	Created  time.Time         `json:"created"`
	First    int64             `json:"first"` // number of the first entry; those before it were pruned
	Last     int64             `json:"last"`  // number of the newest entry; 0: none
	Entries  statelog.Count    `json:"entries"`
	Age      delivery.Duration `json:"age"` // of the newest entry, by the store's clock
	PrunedAt time.Time         `json:"pruned_at,omitzero"`
}

// OwnedRun is an unfinished run, and who works on it.
type OwnedRun struct {
	Run         delivery.RunID       `json:"run"`
	Environment delivery.Environment `json:"environment"`
	State       string               `json:"state"`
	Owner       string               `json:"owner,omitempty"` // machine and process; empty: none has begun
	Epoch       int64                `json:"epoch,omitempty"` // one more each time it was taken over
	Here        bool                 `json:"here"`            // the owner is on this machine
	// Beat is how long ago the owner was heard of last; nil: never, or it has let the run
	// go.
	Beat *delivery.Duration `json:"beat,omitempty"`
}

// ShowState describes where the records are kept, and who works on what. It begins no
// shared state.
func (a *App) ShowState(ctx context.Context) (v StateView, err error) {
	place, err := a.findWorkspace(ctx) // a preview may work in another state folder
	if err != nil {
		return v, err
	}
	err = a.withPreviewSession(ctx, func(s *session) error {
		v, err = s.showState(ctx, place.Home)
		return err
	})
	return v, err
}

func (s *session) showState(ctx context.Context, home string) (StateView, error) {
	v := StateView{Location: home, Runs: []OwnedRun{}, Environments: s.workspace.MachineEnvironments}
	if v.Environments == nil {
		v.Environments = []delivery.Environment{}
	}
	runs, err := s.ownedRuns(ctx)
	if err != nil {
		return v, err
	}
	v.Runs, v.Anchors = runs, s.anchors(ctx)
	shared := s.deps.Shared
	if shared == nil {
		return v, nil
	}
	v.Location, v.Shared = shared.Location, true
	_, err = os.Stat(recordsPath(home))
	v.Unpushed = err == nil
	if shared.Log == nil {
		return v, nil
	}
	u, err := shared.Usage(ctx)
	if err != nil {
		return v, err
	}
	log := shared.Log.Identity
	v.Log = &LogView{ID: log.ID, Created: log.Created, First: u.First, Last: u.Last, Entries: u.Entries, PrunedAt: u.Pruned}
	if u.Last > 0 {
		v.Unpushed = false
		v.Log.Age = delivery.Duration(u.Now.Sub(u.NewestAt).Round(time.Second))
	}
	v.Snapshots, v.Blobs, v.RunLogs = u.Snapshots, u.Blobs, u.Logs
	return v, nil
}

func (s *session) ownedRuns(ctx context.Context) ([]OwnedRun, error) {
	unfinished, err := s.deps.Runs.Unfinished(ctx)
	if err != nil {
		return nil, err
	}
	runs := []OwnedRun{}
	for _, r := range unfinished {
		run := OwnedRun{Run: r.ID, Environment: r.Environment, State: string(r.State), Owner: r.Host, Here: r.Host == s.engine.Host}
		if s.deps.Owners != nil {
			if err := s.describeOwner(ctx, &run); err != nil {
				return nil, err
			}
		}
		runs = append(runs, run)
	}
	return runs, nil
}

func (s *session) describeOwner(ctx context.Context, run *OwnedRun) error {
	o, err := s.deps.Owners.Owner(ctx, run.Run)
	if err != nil {
		return err
	}
	run.Owner, run.Epoch, run.Here = o.Holder, o.Epoch, o.Epoch > 0 && o.Machine == s.engine.Machine
	if o.Epoch == 0 {
		return nil
	}
	since, ok, err := s.deps.Owners.SinceBeat(ctx, run.Run, o.Epoch)
	if err == nil && ok {
		beat := delivery.Duration(since.Round(time.Second))
		run.Beat = &beat
	}
	return err
}

// needShared returns fault.Invalid where no state is shared.
func (s *session) needShared() error {
	if s.deps.Shared != nil {
		return nil
	}
	return noSharedState()
}

func noSharedState() error {
	return fault.New(fault.Invalid, "the records are kept on this machine alone").
		Hint("name a place that machines share: `state:` in slipway.yaml, --state or SLIPWAY_STATE")
}
