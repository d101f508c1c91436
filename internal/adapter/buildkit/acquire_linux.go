package buildkit

import (
	"context"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/flock"
)

// acquire ensures that the daemon runs as configured, and keeps it running until
// release.
func (d *daemon) acquire(ctx context.Context, say func(string)) (release func(), err error) {
	want, err := d.wantedSettings()
	if err != nil {
		return nil, err
	}
	if err := d.prepareDirs(); err != nil {
		return nil, err
	}
	for range 5 {
		held, err := d.lock(ctx, "use.lock", flock.LockFileShared, nil)
		if err != nil {
			return nil, err
		}
		if d.alive() && d.running() == want.text() {
			if err := d.waitReady(ctx, nil); err == nil {
				d.markUsed()
				return func() { d.markUsed(); _ = held.Close() }, nil
			} else if ctx.Err() != nil {
				_ = held.Close()
				return nil, err
			}
		}
		_ = held.Close()
		if err := d.restart(ctx, want, say); err != nil {
			return nil, err
		}
	}
	return nil, fault.New(fault.Conflict, "start BuildKit in %s: other processes keep restarting it with different settings", d.dir).
		Hint("check that %s and %s are the same in every terminal", MirrorsVariable, ProgramVariable)
}

// restart starts the daemon under the exclusive lock; one with other settings is
// stopped first, once its builds are done.
func (d *daemon) restart(ctx context.Context, want settings, say func(string)) error {
	held, err := d.lock(ctx, "use.lock", flock.LockFile, func() { say("waiting for another build before restarting BuildKit") })
	if err != nil {
		return err
	}
	defer held.Close()
	if d.alive() {
		if d.running() == want.text() && d.waitReady(ctx, nil) == nil {
			return nil // another process was quicker
		}
		if err := d.terminate(ctx); err != nil {
			return err
		}
	}
	say("starting BuildKit")
	return d.start(ctx, want)
}
