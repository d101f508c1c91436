package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/filetrust"
	"github.com/slipway-cd/slipway/internal/step"
)

// places are the folders whose paths do not mean anything to the other machines.
func (e *Engine) places() step.Places {
	if e.Blobs == nil {
		return step.Places{}
	}
	return step.Places{Home: e.Home, Repository: e.Repository}
}

// carryOut runs the step, with the files of the steps before it on this machine, and
// saves its own for the other machines.
func (x *execution) carryOut(ctx context.Context, impl step.Step, r step.Request) (step.Result, error) {
	if err := x.fetchInputs(ctx, r); err != nil {
		return step.Result{}, fault.AsInfrastructure(err)
	}
	local := x.e.places().LocalRequest(r)
	if x.e.Blobs != nil && x.e.Cache != nil {
		local.RestoreDir = func(ctx context.Context, path string) { x.restoreDir(ctx, r, path) }
		local.KeepDir = func(ctx context.Context, path string) { x.keepDir(ctx, r, path) }
	}
	result, err := validResult(impl.Run(ctx, local))
	return x.share(ctx, r, result), err
}

// share saves the files that the result names, before anything refers to them, and makes
// its paths portable. What can't be saved is noted: other machines do the step again, or
// can't go on with the run.
func (x *execution) share(ctx context.Context, r step.Request, result step.Result) step.Result {
	if x.e.Blobs == nil || len(result.Output) == 0 {
		return result
	}
	places := x.e.places()
	result.Files = nil
	for _, path := range step.PathsIn(result.Output, r.ArtifactsDir, r.WorkDir) {
		if _, err := os.Lstat(path); err != nil {
			continue // it names what it has not made
		}
		r.Progress("saving %s for other machines", filepath.Base(path))
		b, err := x.e.Blobs.Save(ctx, path)
		if err != nil {
			x.notShared(ctx, r, err)
			continue
		}
		result.Files = append(result.Files, step.File{Path: places.PortablePath(path), Blob: b})
	}
	result.Output = places.Portable(result.Output)
	return result
}

func (x *execution) notShared(ctx context.Context, r step.Request, err error) {
	if ctx.Err() != nil {
		return // the step reports that
	}
	text := fmt.Sprintf("the files of %s stay on this machine: %v", r.Spec.Name, err)
	x.events.emit(event.Event{Kind: event.Notice, Step: r.Spec.Name, Text: text, Hint: "another machine can't use this result"})
}

// fetchInputs brings what other machines made to this one: the folders of the steps that
// this one needs, and the files of all before it. What is not there is left to the
// step, which reports what it misses.
func (x *execution) fetchInputs(ctx context.Context, r step.Request) error {
	if x.e.Blobs == nil {
		return nil
	}
	for name := range r.Inputs {
		before, known := x.known[name]
		if !known || before.Result == nil {
			continue // made here, in this turn
		}
		for _, f := range before.Result.Files {
			if f.Folder && !slices.Contains(r.Spec.Needs, name) {
				continue
			}
			err := x.fetchFile(ctx, r, f)
			if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Corrupt) {
				r.Logf("a file of step %s: %v", name, err)
				continue
			}
			if err != nil {
				return fmt.Errorf("fetch the files of step %s: %w", name, err)
			}
		}
	}
	return nil
}

// fetchFiles brings the files of a cached result to this machine, and reports whether all
// are there: without them the step runs.
func (x *execution) fetchFiles(ctx context.Context, r step.Request, files []step.File) bool {
	if x.e.Blobs == nil || len(files) == 0 {
		return false
	}
	for _, f := range files {
		if err := x.fetchFile(ctx, r, f); err != nil {
			r.Logf("the cached result can't be used: %v", err)
			return false
		}
	}
	return true
}

// fetchFile writes only where results are kept, whatever the records say.
func (x *execution) fetchFile(ctx context.Context, r step.Request, f step.File) error {
	path := x.e.places().LocalPath(f.Path)
	if !isBelow(path, r.ArtifactsDir) && !isBelow(path, filepath.Join(x.e.Home, "runs")) {
		return fault.New(fault.Corrupt, "the records name %s, where no result is kept", path)
	}
	r.Progress("fetching %s (%.1f MB)", filepath.Base(path), float64(f.Size)/1e6)
	return x.e.Blobs.Fetch(ctx, f.Blob, path)
}

func isBelow(path, dir string) bool {
	return filetrust.Within(dir, path) && filepath.Clean(path) != filepath.Clean(dir)
}

// dirKey is the key under which a folder of results is found in the cache. It is stored,
// so it never changes.
func (x *execution) dirKey(path string) delivery.Digest {
	key := delivery.DigestOf([]byte("folder " + x.e.places().PortablePath(path)))
	return step.KeyIn(x.run.Plan.Trigger.TrustClass(), key)
}

// restoreDir brings a folder that another machine kept here, unless there is one.
func (x *execution) restoreDir(ctx context.Context, r step.Request, path string) {
	if _, err := os.Stat(path); err == nil {
		return
	}
	kept, ok, err := x.e.Cache.Lookup(context.WithoutCancel(ctx), x.dirKey(path))
	if err != nil || !ok {
		return // it is made again
	}
	files := kept.Files
	for i := range files {
		files[i].Path = x.e.places().PortablePath(path)
	}
	x.fetchFiles(ctx, r, files)
}

// keepDir saves a folder of results for other machines, unless they have it.
func (x *execution) keepDir(ctx context.Context, r step.Request, path string) {
	b, err := x.e.Blobs.Save(ctx, path)
	if err != nil {
		x.notShared(ctx, r, err)
		return
	}
	kept := step.Result{Outcome: delivery.OutcomeSucceeded, Files: []step.File{{Path: x.e.places().PortablePath(path), Blob: b}}}
	old, ok, err := x.e.Cache.Peek(ctx, x.dirKey(path))
	if err == nil && ok && len(old.Files) == 1 && old.Files[0].Blob == b {
		return
	}
	if err := x.e.Cache.Put(context.WithoutCancel(ctx), x.dirKey(path), x.run.ID, kept); err != nil {
		x.noCache(r, err)
	}
}

// filesOf are the files that the output still names.
func filesOf(output json.RawMessage, files []step.File) []step.File {
	var named []step.File
	for _, f := range files {
		if step.HasPath(output, f.Path) {
			named = append(named, f)
		}
	}
	return named
}
