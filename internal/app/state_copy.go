package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
)

// recordsPath is the file of the records that one machine has for itself.
func recordsPath(home string) string { return filepath.Join(home, "slipway.db") }

// PushResult is what `slipway state push` brought into a shared state.
type PushResult struct {
	From string `json:"from"`
	To   string `json:"to"`
	Runs int    `json:"runs"`
	Rows int    `json:"rows"` // of all records

	Models  int      `json:"models"`            // versions whose files others can read now
	Missing []string `json:"missing,omitempty"` // versions whose files are not on this machine
}

// PushState brings the records of this machine into the shared state, which has to be
// empty. The file that they were in stays.
func (a *App) PushState(ctx context.Context) (result PushResult, err error) {
	err = a.withSession(ctx, func(s *session) error {
		if err := s.needShared(); err != nil {
			return err
		}
		result.From, result.To = recordsPath(s.workspace.Home), s.deps.Shared.Location
		if _, err := os.Stat(result.From); errors.Is(err, fs.ErrNotExist) {
			return fault.New(fault.NotFound, "this machine has no records: %s not found", result.From).
				Hint("a shared state needs none: the first run begins it")
		}
		// The files first: what others find in the records, they can use.
		if err := s.shareModels(ctx, &result); err != nil {
			return err
		}
		done, err := s.deps.Maintenance.Import(ctx, result.From)
		result.Runs, result.Rows = done.Runs, done.Rows
		return err
	})
	return result, err
}

// checkPushed returns fault.Conflict if a shared state is about to begin without the
// records that this machine has: what is quarantined in them would be forgotten, and what
// waits for an approval.
func (s *session) checkPushed(ctx context.Context) error {
	if s.deps.Log == nil {
		return nil
	}
	path := recordsPath(s.workspace.Home)
	if _, err := os.Stat(path); err != nil {
		return nil //nolint:nilerr // it has none
	}
	newest, err := s.deps.Log.Newest(ctx)
	if err != nil || newest.Entry > 0 {
		return err
	}
	return s.withOwnRecords(ctx, func(own Dependencies) error {
		runs, err := port.First(1, record.AllRuns(ctx, own.Runs, ""))
		if err != nil || len(runs) == 0 {
			return err
		}
		return fault.New(fault.Conflict, "the shared state is empty, and the records of this machine are not in it: their quarantines and approvals would be forgotten").
			Hint("bring them there with `slipway state push`; to begin without them, move %s away", path)
	})
}

// withOwnRecords opens the records that this machine has for itself.
func (s *session) withOwnRecords(ctx context.Context, do func(Dependencies) error) (err error) {
	place := s.workspace
	place.State = ""
	own, err := s.app.Factory(ctx, place)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, own.Close()) }()
	return do(own)
}

// shareModels makes the files of the models in this machine's own records available to
// others.
func (s *session) shareModels(ctx context.Context, result *PushResult) error {
	sharer, ok := s.deps.Artifacts.(port.ArtifactSharer)
	if !ok {
		return nil
	}
	return s.withOwnRecords(ctx, func(own Dependencies) error {
		for m, err := range port.AllModels(ctx, own.Models, port.ModelFilter{}) {
			if err != nil {
				return err
			}
			switch err := sharer.Share(ctx, m.ModelRef); {
			case fault.Is(err, fault.NotFound):
				result.Missing = append(result.Missing, m.String())
			case err != nil:
				return err
			default:
				result.Models++
			}
		}
		return nil
	})
}

// PullResult is what `slipway state pull` wrote.
type PullResult struct {
	From string `json:"from"`
	To   string `json:"to"` // the state folder
}

// PullState writes the records of the shared state to a new state folder, relative to
// where the command was given, that works without it.
func (a *App) PullState(ctx context.Context, dir string) (result PullResult, err error) {
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(a.Dir, dir)
	}
	result.To = dir
	err = a.withPreviewSession(ctx, func(s *session) error {
		if err := s.needShared(); err != nil {
			return err
		}
		result.From = s.deps.Shared.Location
		if s.deps.Maintenance == nil {
			return fault.New(fault.NotFound, "nothing was shared in %s yet", result.From)
		}
		return s.exportTo(ctx, dir)
	})
	return result, err
}

func (s *session) exportTo(ctx context.Context, dir string) error {
	path := recordsPath(dir)
	if hasRecords(dir) {
		return fault.New(fault.Conflict, "%s has records already", dir).Hint("name a new folder")
	}
	if err := prepareHome(dir); err != nil {
		return err
	}
	whole, err := os.MkdirTemp(dir, "pull-*") // the file appears with all that is in it
	if err != nil {
		return fmt.Errorf("copy the records: %w", err)
	}
	defer os.RemoveAll(whole)
	copied := recordsPath(whole)
	if err := s.deps.Maintenance.Export(ctx, copied); err != nil {
		return err
	}
	if err := os.Link(copied, path); err != nil {
		return fault.New(fault.FileKind(err), "copy the records to %s", path).Cause(err)
	}
	return nil
}
