// Package catalog is the explicit list of what this Slipway is made of: one line
// to add a step, one to add an adapter.
package catalog

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/anchore"
	"github.com/slipway-cd/slipway/internal/adapter/buildkit"
	"github.com/slipway-cd/slipway/internal/adapter/git"
	"github.com/slipway-cd/slipway/internal/adapter/httpprobe"
	"github.com/slipway-cd/slipway/internal/adapter/ko"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes"
	"github.com/slipway-cd/slipway/internal/adapter/local"
	"github.com/slipway-cd/slipway/internal/adapter/oci"
	"github.com/slipway-cd/slipway/internal/adapter/process"
	"github.com/slipway-cd/slipway/internal/adapter/prometheus"
	"github.com/slipway-cd/slipway/internal/adapter/shoutrrr"
	"github.com/slipway-cd/slipway/internal/adapter/sigstore"
	"github.com/slipway-cd/slipway/internal/adapter/trivy"
	"github.com/slipway-cd/slipway/internal/adapter/webhook"
	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/redact"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/approve"
	"github.com/slipway-cd/slipway/internal/step/attest"
	"github.com/slipway-cd/slipway/internal/step/build"
	"github.com/slipway-cd/slipway/internal/step/deploy"
	"github.com/slipway-cd/slipway/internal/step/digest"
	"github.com/slipway-cd/slipway/internal/step/evaluate"
	"github.com/slipway-cd/slipway/internal/step/push"
	"github.com/slipway-cd/slipway/internal/step/register"
	"github.com/slipway-cd/slipway/internal/step/rollback"
	"github.com/slipway-cd/slipway/internal/step/scan"
	teststep "github.com/slipway-cd/slipway/internal/step/test"
	"github.com/slipway-cd/slipway/internal/step/train"
	"github.com/slipway-cd/slipway/internal/step/trust"
	"github.com/slipway-cd/slipway/internal/step/verify"
	"github.com/slipway-cd/slipway/internal/step/watch"
)

// jobRunner is the hidden command under which a job runs.
const jobRunner = "job-runner"

// adapters are what the steps ask the outside world through.
type adapters struct {
	models      port.ModelRegistry
	releases    port.ReleaseStore
	deployments port.DeploymentStore
	approvals   port.ApprovalStore
	registry    *oci.Registry
	builder     port.Builder // of Go programs
	buildkit    port.Builder // of Dockerfiles
	commands    port.Commands
	jobs        port.Jobs
	prober      port.Prober
	metrics     port.MetricsProvider
	sigstore    sigstore.Sigstore
	targets     map[string]port.Target
	version     string
}

// NewFactory makes the parts for a place, of a Slipway of that version.
func NewFactory(version string) app.Factory {
	return func(ctx context.Context, p app.Workspace) (app.Dependencies, error) { return wire(ctx, p, version) }
}

// wire makes the parts for a place. Nothing but the records is opened yet.
func wire(ctx context.Context, p app.Workspace, version string) (app.Dependencies, error) {
	self, err := os.Executable()
	if err != nil {
		return app.Dependencies{}, err
	}
	store, err := sqlite.Open(ctx, filepath.Join(p.Home, "slipway.db"), time.Now)
	if err != nil {
		return app.Dependencies{}, err
	}
	embedded := oci.Lazy(filepath.Join(p.Home, "registry"))
	registry := oci.New(oci.Config{Embedded: embedded})
	cluster := kubernetes.New(kubernetes.Config{})
	kit := buildkit.New(buildkit.Config{Dir: filepath.Join(p.Home, "buildkit"), Executable: self})
	a := adapters{
		models: store.Models(), releases: store.Releases(), deployments: store.Deployments(), approvals: store.Approvals(),
		registry: registry, builder: ko.New(ko.Config{}), buildkit: kit, prober: httpprobe.Prober{},
		commands: process.NewCommands(process.Config{}),
		jobs:     jobs(filepath.Join(p.Home, "jobs"), self),
		metrics:  prometheus.New(os.Getenv(prometheus.TokenVariable)),
		sigstore: sigstore.New(sigstore.Config{Cache: filepath.Join(p.Home, "sigstore")}),
		version:  version,
		targets: map[string]port.Target{
			"kubernetes": cluster,
			"local":      local.New(local.Config{Dir: filepath.Join(p.Home, "local"), Executable: self, Images: registry, Artifacts: registry}),
		},
	}
	return app.Dependencies{
		Runs: store.Runs(), Cache: store.Cache(), Outbox: store.Outbox(),
		Models: a.models, Releases: a.releases, Deployments: a.deployments, Approvals: a.approvals,
		Source: git.New(p.Repository), Steps: steps(a), Targets: a.targets,
		Reference: registry.Reference, Notifier: notifier, Shutdown: kit.Stop, Trust: a.judge(), GenerateKey: sigstore.Generate,
		Close: func() error { return errors.Join(cluster.Close(), store.Close()) },
		ServeRegistry: func(ctx context.Context, addr string, ready func(addr string)) error {
			return serveRegistry(ctx, embedded, addr, ready)
		},
	}, nil
}

// jobs run under this very program, and keep secrets out of their logs.
func jobs(dir, self string) port.Jobs {
	j := process.NewJobs(dir, self, jobRunner)
	j.Secret = redact.FromEnviron(os.Environ()).Contains
	return j
}

// judge checks signatures.
func (a adapters) judge() trust.Verifier {
	return trust.Verifier{Attestations: a.registry, Signatures: a.sigstore}
}

func hide(secrets []string, w io.Writer) io.WriteCloser { return redact.New(secrets...).Writer(w) }

// steps is the list of steps.
func steps(a adapters) map[step.Kind]step.Step {
	hasher := digest.Hasher{Cache: digest.NewCache(nil)}
	scanner := scanning()
	return map[step.Kind]step.Step{
		step.Test:     teststep.Step{Commands: a.commands},
		step.Build:    build.Step{Go: a.builder, Dockerfile: a.buildkit},
		step.Scan:     scanner,
		step.Push:     push.Step{Images: a.registry},
		step.Train:    train.Step{Jobs: a.jobs, Commands: a.commands, Hasher: hasher},
		step.Evaluate: evaluate.Step{Jobs: a.jobs, Commands: a.commands, Deployments: a.deployments, Releases: a.releases, Models: a.models, Hasher: hasher},
		step.Register: register.Step{Artifacts: a.registry, Models: a.models, SBOMs: scanner.SBOMs},
		step.Approve:  approve.Step{Models: a.models, Approvals: a.approvals},
		step.Deploy:   deploy.Step{Targets: a.targets, Releases: a.releases, Deployments: a.deployments, Models: a.models, ModelImages: a.registry, Metrics: a.metrics, Prober: a.prober, Trust: a.judge()},
		step.Verify:   verify.Step{Targets: a.targets, Releases: a.releases, Deployments: a.deployments, Prober: a.prober},
		step.Watch:    watch.Step{Targets: a.targets, Releases: a.releases, Deployments: a.deployments, Models: a.models},
		step.Rollback: rollback.Step{Targets: a.targets, Releases: a.releases, Deployments: a.deployments, Models: a.models, Prober: a.prober, Trust: a.judge()},
		step.Attest:   attest.Step{Signers: a.sigstore, Attestations: a.registry, Models: a.models, ModelImages: a.registry, ContainsSecret: redact.FromEnviron(os.Environ()).Contains, Version: a.version},
	}
}

// scanning is the list of scanners. Bills of materials are always syft's.
func scanning() scan.Step {
	embedded := anchore.New(scanConfig(os.Getenv, os.UserCacheDir))
	return scan.Step{
		Scanners:  map[string]port.Scanner{"grype": embedded, "trivy": trivy.New(trivy.Config{})},
		Databases: map[string]port.ScanDatabase{"grype": embedded},
		SBOMs:     embedded,
	}
}

// ScanDatabase is the embedded scanner's database: one for the whole machine.
func ScanDatabase() port.ScanDatabase { return anchore.New(scanConfig(os.Getenv, os.UserCacheDir)) }

// scanConfig says where the database is, and where it comes from. A machine
// without a home keeps it where it keeps what may go.
func scanConfig(env func(string) string, cache func() (string, error)) anchore.Config {
	dir := env(anchore.DatabaseDirVariable)
	if dir == "" {
		base, err := cache()
		if err != nil {
			base = os.TempDir()
		}
		dir = filepath.Join(base, "slipway", "vulnerabilities")
	}
	return anchore.Config{Dir: dir, URL: env(anchore.DatabaseURLVariable)}
}

// notifier is the list of receivers.
func notifier(r app.NotifyTarget) (port.Notifier, error) {
	if r.Kind == "chat" {
		return shoutrrr.New(r.URL)
	}
	return webhook.New(r.URL, r.Secret, time.Now)
}

// serveRegistry shows the embedded registry to other tools until ctx ends.
func serveRegistry(ctx context.Context, embedded func() (*oci.Embedded, error), addr string, ready func(string)) error {
	e, err := embedded()
	if err != nil {
		return err
	}
	l, err := e.Listen(addr)
	if err != nil {
		return err
	}
	ready(l.Addr())
	<-ctx.Done()
	return l.Close()
}

// DiscardLogs silences libraries that log to stderr on their own. It is for the
// start of the program.
func DiscardLogs() { kubernetes.DiscardLogs() }

// RunInternal runs the commands that Slipway gives to itself (the supervisor, a
// container's first process, a job), if args name one. It is asked first of all.
func RunInternal(args []string, out io.Writer) (code int, handled bool) {
	if len(args) == 0 {
		return 0, false
	}
	switch args[0] {
	case jobRunner:
		return process.RunJobProcess(args[1:], hide), true
	case buildkit.IdleCommand:
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
		defer stop()
		return buildkit.StopWhenIdle(ctx, args[1:]), true
	case local.SuperviseCommand, local.InitCommand:
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
		defer stop()
		return local.RunInternal(ctx, args, out)
	}
	return 0, false
}
