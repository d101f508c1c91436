package app

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/engine"
	"github.com/slipway-cd/slipway/internal/record"
)

// pollElsewhereInterval is the interval at which the files of other machines are listed
// while a log is followed: they lag anyway, and it is a request.
const pollElsewhereInterval = 2 * time.Second

// elsewhere finds what a run printed on other machines.
type elsewhere struct {
	files record.RunFiles // nil: no other machine
	home  string
	run   delivery.RunID

	listed time.Time
	read   map[record.RunFile]bool // that were copied as they are
	before []record.RunFile        // of owners before those on this machine, ascending
	after  []record.RunFile        // of those after
}

func (s *session) elsewhere(run delivery.RunID) *elsewhere {
	return &elsewhere{files: s.deps.Files, home: s.workspace.Home, run: run}
}

// update lists the files, unless that was done a moment ago.
func (e *elsewhere) update(ctx context.Context) error {
	if e.files == nil || time.Since(e.listed) < pollElsewhereInterval {
		return nil
	}
	all, err := e.files.List(ctx, e.run)
	if err != nil {
		return err
	}
	e.listed, e.before, e.after = time.Now(), nil, nil
	here := engine.LocalEpochs(e.home, e.run)
	first := int64(math.MaxInt64)
	if len(here) > 0 {
		first = here[0]
	}
	for _, f := range all {
		switch {
		case slices.Contains(here, f.Epoch):
		case f.Epoch < first:
			e.before = append(e.before, f)
		default:
			e.after = append(e.after, f)
		}
	}
	return nil
}

// changed returns the files that were not copied as they are now.
func (e *elsewhere) changed(files []record.RunFile) []record.RunFile {
	return slices.DeleteFunc(slices.Clone(files), func(f record.RunFile) bool { return e.read[f] })
}

// copy calls write with the content of the files of that name.
func (e *elsewhere) copy(ctx context.Context, files []record.RunFile, name string, write func(record.RunFile, io.Reader) error) error {
	for _, f := range files {
		if f.Name != name {
			continue
		}
		r, err := e.files.Open(ctx, f)
		if err != nil {
			return err
		}
		err = write(f, r)
		r.Close()
		if err != nil {
			return fmt.Errorf("read %s of run %s: %w", name, e.run, err)
		}
		if e.read == nil {
			e.read = map[record.RunFile]bool{}
		}
		e.read[f] = true
	}
	return nil
}
