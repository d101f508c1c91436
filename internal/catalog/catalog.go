package catalog

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/anchore"
	"github.com/slipway-cd/slipway/internal/adapter/aws/ecr"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/adapter/git"
	"github.com/slipway-cd/slipway/internal/adapter/httpprobe"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes"
	"github.com/slipway-cd/slipway/internal/adapter/local"
	"github.com/slipway-cd/slipway/internal/adapter/oci"
	"github.com/slipway-cd/slipway/internal/adapter/oci/embedded"
	"github.com/slipway-cd/slipway/internal/adapter/process"
	"github.com/slipway-cd/slipway/internal/adapter/prometheus"
	"github.com/slipway-cd/slipway/internal/adapter/sigstore"
	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/redact"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/trust"
)

// NewFactory makes the dependencies of a workspace, for a Slipway of that version.
func NewFactory(version string) app.Factory {
	return func(ctx context.Context, w app.Workspace) (app.Dependencies, error) { return wire(ctx, w, version) }
}

// wire makes the dependencies of a workspace. Nothing but the records is opened yet.
func wire(ctx context.Context, w app.Workspace, version string) (app.Dependencies, error) {
	self, err := os.Executable()
	if err != nil {
		return app.Dependencies{}, err
	}
	set := Default()
	store, state, err := openRecords(ctx, set, w)
	if err != nil {
		return app.Dependencies{}, err
	}
	closeRecords := func() error { return errors.Join(store.Close(), state.Close()) }
	openEmbedded := embedded.Lazy(filepath.Join(w.Home, "registry"))
	kept := openBlobs(state)
	registry := oci.New(oci.Config{Embedded: openEmbedded, Blobs: kept, Login: ecr.New(session.Options{}, w.RegistryRoles, nil).Login, Control: ecr.NewRegistries(session.Options{}, w.RegistryRoles)})
	signer := sigstore.New(sigstore.Config{Cache: filepath.Join(w.Home, "sigstore")})
	host := extension.Host{
		HistoryKeys: w.HistoryKeys, Signers: signer, Signatures: signer,
		Repository: w.Repository, Home: w.Home, Cache: w.Cache, Executable: self, Version: version, LookupEnv: os.LookupEnv, Clock: time.Now,
		RegistryRoles: w.RegistryRoles, Images: registry, Artifacts: registry, Models: store.Models(), ScanArchives: scanArchives(store, kept), ContainsSecret: redact.FromEnviron(os.Environ(), w.Secrets...).Contains,
	}
	ports, stops, closers, err := construct(set, host, w)
	if err != nil {
		return app.Dependencies{}, errors.Join(err, closeRecords())
	}
	commands := process.NewCommands(process.Config{Hide: process.Hidden(w.Repository, w.Home, w.Cache)})
	ports.Commands, ports.Prober, ports.Metrics = commands, httpprobe.Prober{Token: local.ProbeToken(filepath.Join(w.Home, "local"))}, prometheus.New(os.Getenv(prometheus.TokenVariable))
	ports.Images, ports.Artifacts, ports.ModelImages, ports.Attestations = registry, registry, registry, registry
	ports.Signers, ports.Signatures = signer, signer
	ports.Releases, ports.Deployments, ports.Approvals = store.Releases(), store.Deployments(), store.Approvals()
	ports.Log, ports.Costs = store.Log(), record.Costs{Runs: store.Runs()}
	ports.Monitors, ports.Datasets = new(monitors).find, new(datasets).find
	ports.ContainsSecret, ports.Version = redact.FromEnviron(os.Environ()).Contains, version
	steps := map[step.Kind]step.Step{}
	for _, s := range set.Steps {
		steps[s.Kind] = s.New(ports)
	}
	return app.Dependencies{
		Runs: store.Runs(), Owners: store.Owners(), Log: ports.Log, Shared: state, Blobs: kept, Files: runFiles(state, w.Project), Cache: store.Cache(), Outbox: store.Outbox(),
		Models: ports.Models, Artifacts: ports.Artifacts, Images: ports.Images, Releases: ports.Releases, Deployments: ports.Deployments, Approvals: ports.Approvals, Costs: ports.Costs,
		Source: git.Source{Dir: w.Repository, Also: w.Also}, Steps: steps, Targets: ports.Targets, Unused: slices.Concat(unusedListers(ports.Builders), unusedListers(ports.Targets)),
		AWSChecks: awsChecks, Monitors: ports.Monitors, Datasets: ports.Datasets, LogStreams: logStreams(),
		Reference: registry.Reference, Shutdown: stops, CheckBox: commands.CheckBox, Trust: trust.Verifier{Attestations: registry, Signatures: signer},
		GenerateKey: sigstore.Generate, CopyRecords: store.Copy, Maintenance: store.Maintenance(),
		Close: func() error { return errors.Join(closers(), closeRecords()) },
		ServeRegistry: func(ctx context.Context, o app.RegistryOptions, ready func(addr string)) error {
			return serveRegistry(ctx, openEmbedded, o, ready)
		},
	}, nil
}

// construct makes everything of the list. The first function stops the helpers
// that were kept running between commands, the second one frees resources.
func construct(set extension.Set, h extension.Host, w app.Workspace) (p extension.Ports, stop func(context.Context) error, closeAll func() error, err error) {
	var made []any
	p.Targets, p.Builders, p.Scanners = map[string]port.Target{}, map[string]port.Builder{}, map[string]port.Scanner{}
	for _, t := range set.Targets {
		if p.Targets[string(t.Kind)], err = t.New(h); err != nil {
			return p, nil, nil, err
		}
		made = append(made, p.Targets[string(t.Kind)])
	}
	for _, b := range set.Builders {
		if p.Builders[string(b.Kind)], err = b.New(h); err != nil {
			return p, nil, nil, err
		}
		made = append(made, p.Builders[string(b.Kind)])
	}
	for _, s := range set.Scanners {
		scanner, err := s.New(h)
		if err != nil {
			return p, nil, nil, err
		}
		p.Scanners[string(s.Kind)] = scanner
		if sboms, ok := scanner.(port.SBOMGenerator); ok && p.SBOMs == nil {
			p.SBOMs = sboms
		}
		made = append(made, scanner)
	}
	registry, err := set.ModelRegistry(w.ModelRegistry.Kind)
	if err == nil {
		p.Models, err = registry.New(h, w.ModelRegistry.Section)
	}
	if err != nil {
		return p, nil, nil, err
	}
	runners := &jobRunners{set: set, host: h, made: map[string]port.Jobs{}}
	p.JobsOn = runners.on
	p.Jobs, err = runners.on(step.RunnerParams{})
	stop = func(ctx context.Context) error { return stopAll(ctx, made) }
	return p, stop, func() error { return closeEach(append(made, runners.all()...)) }, err
}

func unusedListers[T any](ports map[string]T) (all []port.UnusedLister) {
	for _, p := range ports {
		if l, ok := any(p).(port.UnusedLister); ok {
			all = append(all, l)
		}
	}
	return all
}

func stopAll(ctx context.Context, all []any) error {
	var errs []error
	for _, x := range all {
		if s, ok := x.(extension.Stopper); ok {
			errs = append(errs, s.Stop(ctx))
		}
	}
	return errors.Join(errs...)
}

func closeEach(all []any) error {
	var errs []error
	for _, x := range all {
		if c, ok := x.(io.Closer); ok {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

// DiscardLogs silences libraries that log to stderr on their own. It is for the
// start of the program.
func DiscardLogs() { kubernetes.DiscardLogs() }

// ScanDatabase is the embedded scanner's database: one for the whole machine.
func ScanDatabase() port.ScanDatabase { return anchore.NewFromEnv() }

// Git reports about folders before the project in them is trusted.
func Git() app.Git { return git.Guard{} }

// Supervisors are the processes that keep services running on this machine.
func Supervisors() port.Supervisors { return local.NewSupervisors() }

// serveRegistry shows the embedded registry to other tools until ctx ends.
func serveRegistry(ctx context.Context, open func() (*embedded.Registry, error), o app.RegistryOptions, ready func(string)) error {
	e, err := open()
	if err != nil {
		return err
	}
	l, err := e.Listen(o.Address, o.Token)
	if err != nil {
		return err
	}
	ready(l.Addr())
	<-ctx.Done()
	return l.Close()
}
