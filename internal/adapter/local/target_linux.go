package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/supervisor"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/sandbox"
)

// Stage fetches the image and the model by digest and starts the release next to
// the promoted one. The returned address is a proxy to its replicas only.
func (t *Target) Stage(ctx context.Context, o port.DeployRequest, say func(string)) (string, error) {
	say = orDiscard(say)
	if err := supervisor.ValidateNames(o.Service, o.Environment); err != nil {
		return "", err
	}
	secrets, err := t.secrets(o.Release.Workload.Env)
	if err != nil {
		return "", err
	}
	if err := t.setChangedModelAside(ctx, o); err != nil {
		return "", err
	}
	spec, err := t.fetch(ctx, o.Release, say)
	if err != nil {
		return "", err
	}
	wire := releaseRequest(o)
	wire.Spec, wire.Secrets = spec, secrets
	var url string
	if err := t.call(ctx, supervisor.CallStage, wire, &url, say); err != nil {
		return "", err
	}
	return url, nil
}

// Promote switches the stable port to the staged release, waits for in-flight
// requests of the previous one, and stops that.
func (t *Target) Promote(ctx context.Context, o port.DeployRequest, say func(string)) (port.Observation, error) {
	var observation port.Observation
	err := t.call(ctx, supervisor.CallPromote, releaseRequest(o), &observation, orDiscard(say))
	return observation, err
}

// Discard stops the release if it is staged.
func (t *Target) Discard(ctx context.Context, o port.DeployRequest) error {
	saved, err := t.savedState(o.Service, o.Environment)
	if err != nil || saved.Staged == nil || saved.Staged.Release != o.ID {
		return err
	}
	var done bool
	if err := t.call(ctx, supervisor.CallDiscard, releaseRequest(o), &done, orDiscard(nil)); err != nil {
		return err
	}
	return t.stopIfIdle(ctx)
}

// Observe returns the current state without starting anything. If releases should
// run but have no supervisor, that is an outage; a note names the promoted one.
func (t *Target) Observe(ctx context.Context, service string, env delivery.Environment) (port.Observation, error) {
	saved, err := t.savedState(service, env)
	if err != nil {
		return port.Observation{}, err
	}
	running, err := supervisor.IsRunning(t.cfg.Dir)
	if err != nil {
		return port.Observation{}, err
	}
	var observation port.Observation
	if running {
		err := t.send(ctx, supervisor.CallObserve, environmentRequest(service, env), &observation, orDiscard(nil))
		if err == nil || !errors.Is(err, errUnavailable) {
			observation.Notes = append(observation.Notes, t.lostSupervisors(service, env)...)
			return observation, err
		}
	}
	if saved.Port != 0 {
		observation.URL = fmt.Sprintf("http://127.0.0.1:%d", saved.Port)
	}
	if saved.ShouldRun() {
		observation.Outage = "the supervisor of the local target is not running"
	}
	if saved.Promoted != nil {
		observation.Notes = []string{fmt.Sprintf("%s should be running, but its supervisor is stopped: start it with `slipway up`", saved.Promoted.Release)}
	}
	observation.Notes = append(observation.Notes, t.lostSupervisors(service, env)...)
	return observation, nil
}

// Remove stops all releases of the service in the environment and releases its
// port. The supervisor exits with the last environment.
func (t *Target) Remove(ctx context.Context, service string, env delivery.Environment) error {
	saved, err := t.savedState(service, env)
	if err != nil || saved.Service == "" {
		return err
	}
	var done bool
	if err := t.call(ctx, supervisor.CallRemove, environmentRequest(service, env), &done, orDiscard(nil)); err != nil {
		return err
	}
	return t.stopIfIdle(ctx)
}

// Traffic returns the requests to the stable port since then, by the second, for
// about the last hour. The supervisor keeps them in memory only.
func (t *Target) Traffic(ctx context.Context, service string, env delivery.Environment, id delivery.ReleaseID, since time.Time) (port.Traffic, error) {
	saved, err := t.savedState(service, env)
	if err != nil || !saved.ShouldRun() {
		return port.Traffic{}, err
	}
	q := supervisor.TrafficRequest{Service: service, Environment: env, Release: id, Since: since}
	var traffic port.Traffic
	if err := t.send(ctx, supervisor.CallTraffic, q, &traffic, orDiscard(nil)); err != nil {
		if errors.Is(err, errUnavailable) {
			err = fault.New(fault.Unavailable, "read the traffic of %s in %s: its supervisor is not running", service, env).
				Hint("start it with `slipway up`").Cause(err).Infrastructure()
		}
		return port.Traffic{}, err
	}
	return traffic, nil
}

// Identify lets the supervisor prove it by the sockets of the replicas.
func (t *Target) Identify(ctx context.Context, o port.DeployRequest, url string) (port.Proof, error) {
	q := supervisor.ProofRequest{Service: o.Service, Environment: o.Environment, Release: o.ID, URL: url}
	var proof port.Proof
	err := t.send(ctx, supervisor.CallProve, q, &proof, orDiscard(nil))
	switch {
	case errors.Is(err, errUnavailable):
		err = fault.New(fault.Unavailable, "prove which release responds: the supervisor of the local target is not running").
			Hint("start it with `slipway up`").Cause(err)
	case errors.Is(err, errUnknownCall):
		err = fault.New(fault.Unavailable, "prove which release responds: the supervisor was started by an older Slipway").
			Hint("restart it: `slipway down`, then `slipway up`; or let the health response name the release")
	}
	return proof, err
}

// ObservesModels marks a target that sees whether models are opened.
func (*Target) ObservesModels() {}

// ReplicaLogs returns the last lines of every current replica, or of previous
// ones if there is none: "time replica | text".
func (t *Target) ReplicaLogs(_ context.Context, service string, env delivery.Environment, lines int) ([]string, error) {
	saved, err := t.savedState(service, env)
	if err != nil {
		return nil, err
	}
	var releases []delivery.ReleaseID
	for _, p := range []*supervisor.ReleaseSpec{saved.Promoted, saved.Staged} {
		if p != nil {
			releases = append(releases, p.Release)
		}
	}
	return supervisor.ReadLogs(t.cfg.Dir, service, env, releases, lines)
}

// Restore starts all promoted releases again, for example after a reboot, and waits
// until they are ready. It does nothing if there is none.
func (t *Target) Restore(ctx context.Context) error {
	live, err := t.hasWork()
	if err != nil || !live {
		return err
	}
	secrets, err := t.savedSecrets()
	if err != nil {
		return err
	}
	var done bool
	return t.call(ctx, supervisor.CallUp, supervisor.UpRequest{Secrets: secrets}, &done, orDiscard(nil))
}

// fetch downloads everything needed to run the release.
func (t *Target) fetch(ctx context.Context, r delivery.Release, say func(string)) (supervisor.Spec, error) {
	spec := supervisor.Spec{Workload: r.Workload, Proxies: t.proxies}
	if !r.Image.Digest.Valid() {
		return spec, fault.New(fault.Invalid, "run image %q: the image is not pinned by digest", r.Image)
	}
	say("unpacking the image")
	spec.Rootfs = filepath.Join(t.cfg.Dir, "rootfs", r.Image.Digest.Hex())
	if err := os.MkdirAll(filepath.Dir(spec.Rootfs), 0o700); err != nil {
		return spec, fmt.Errorf("create the image folder: %w", err)
	}
	var err error
	if spec.Image, err = t.cfg.Images.Unpack(ctx, r.Image, spec.Rootfs); err != nil {
		return spec, fmt.Errorf("unpack %s: %w", r.Image, err)
	}
	if err := os.Chmod(spec.Rootfs, 0o755); err != nil {
		return spec, fmt.Errorf("make the image root accessible to its user: %w", err)
	}
	if r.Model == nil {
		return spec, nil
	}
	if !r.Model.Digest.Valid() {
		return spec, fault.New(fault.Invalid, "run model %s: the model is not pinned by digest", r.Model)
	}
	say("fetching the model")
	spec.Model = filepath.Join(t.cfg.Dir, "models", r.Model.Digest.Hex())
	spec.ModelVersion = strconv.Itoa(r.Model.Version)
	if err := os.MkdirAll(filepath.Dir(spec.Model), 0o700); err != nil {
		return spec, fmt.Errorf("create the model folder: %w", err)
	}
	done, err := supervisor.MarkReading(ctx, spec.Model)
	if err != nil {
		return spec, err
	}
	defer done()
	if err := t.cfg.Artifacts.Fetch(ctx, *r.Model, spec.Model); err != nil {
		return spec, fmt.Errorf("fetch model %s: %w", r.Model, err)
	}
	return spec, makeReadable(spec.Model)
}

// makeReadable makes the model readable to the service's user. Without root the
// replicas run as this user.
func makeReadable(dir string) error {
	if !sandbox.IsRoot() {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode, want := info.Mode(), fs.FileMode(0o444)
		if mode.IsDir() {
			want = 0o555
		}
		if mode.Perm()&want == want || !mode.IsDir() && !mode.IsRegular() {
			return nil
		}
		return os.Chmod(path, mode.Perm()|want)
	})
}
