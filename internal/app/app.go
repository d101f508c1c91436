// Package app contains the use cases of Slipway. The command line and the server are
// thin layers on top of it.
package app

import (
	"context"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/shared"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/trust"
)

// Dependencies are the adapters and steps that the use cases need.
type Dependencies struct {
	Runs        record.Runs
	Owners      record.Owners   // nil: no other machine works on the runs
	Log         port.RecordLog  // that the records are in; nil: they are those of this machine
	Shared      *shared.State   // nil: the state is this machine's alone
	Blobs       port.Blobs      // of the shared state; nil: none
	Files       record.RunFiles // what runs printed on other machines; nil: none
	Cache       record.Cache
	Outbox      record.Outbox
	Models      port.ModelRegistry
	Artifacts   port.ArtifactStore
	Images      port.ImageStore
	Releases    port.ReleaseStore
	Deployments port.DeploymentStore
	Approvals   port.ApprovalStore
	Costs       port.CostLedger // nil: what jobs cost is not known

	AWSChecks  func(extension.AWSChecks) []port.Check // of `slipway doctor`; nil: nothing is in AWS
	Monitors   step.Monitors                          // nil: no metrics are published
	LogStreams LogStreams                             // nil: none are written
	Datasets   step.Datasets                          // of training; nil: none is in a store of objects

	Source      port.Source
	Steps       map[step.Kind]step.Step
	Targets     map[string]port.Target
	Unused      []port.UnusedLister // builders and targets that keep files
	Reference   func(delivery.Image) string
	Trust       trust.Verifier
	Maintenance record.Maintenance // of shared records as a whole; nil: nothing is shared
	// CopyRecords writes the records as they are now to a new file.
	CopyRecords func(ctx context.Context, path string) error
	// GenerateKey generates a signing key pair as PEM, the private key encrypted with
	// the passphrase.
	GenerateKey func(passphrase []byte) (private, public []byte, err error)
	// ServeRegistry serves the embedded registry to other tools on a loopback
	// address until ctx ends; ready is called with the address.
	ServeRegistry func(ctx context.Context, o RegistryOptions, ready func(addr string)) error
	Shutdown      func(ctx context.Context) error // ends helpers that were kept warm between commands
	CheckBox      func(ctx context.Context) error // why this machine can't run commands in a box; nil: it can
	Close         func() error
}

// LogStreams find the streams of a log group.
type LogStreams func(at extension.AWS, group string) port.LogStreams

// Factory creates the dependencies for a workspace. It is cheap: slow parts start when
// they are first used.
type Factory func(ctx context.Context, p Workspace) (Dependencies, error)

// App runs the use cases.
type App struct {
	Dir     string   // where the command was given, absolute
	Environ []string // "K=V"
	State   string   // --state: instead of SLIPWAY_STATE and slipway.yaml; NoState: none
	Factory Factory
	// Kinds are the extensions that slipway.yaml can select.
	Kinds extension.Set
	// ScanDatabase is the machine's vulnerability database, which belongs to no
	// project.
	ScanDatabase func() port.ScanDatabase
	// Supervisors are those of this user on this machine, of all projects; it may return
	// nil, where none can run.
	Supervisors func() port.Supervisors
	// SystemPolicy is the file of the machine's policy; empty: /etc/slipway/policy.yaml.
	SystemPolicy string
	// User returns who runs the command, as the operating system knows it; nil: the user
	// of the process.
	User func() delivery.Actor
	// Git reports about folders before the project in them is trusted; nil: nothing is
	// known about them but their owners.
	Git Git
	// OpenState opens the shared state of a workspace without its records.
	OpenState func(ctx context.Context, w Workspace) (*shared.State, error)
	// VerifyLog applies the log of a shared state in an empty folder, and compares its
	// snapshots with what the entries come to.
	VerifyLog func(ctx context.Context, s *shared.State, dir string, progress func(entry int64)) (record.LogVerification, error)
	// Accounts looks after what the project needs in accounts of AWS.
	Accounts Accounts
	Clock    func() time.Time
	Sink     event.Sink // what runs say; nil: nothing

	claimed plan.TriggerEvent // by an option of the command; see during
}

// getenv looks up a variable of the environment.
func (a *App) getenv(name string) (string, bool) {
	for _, kv := range a.Environ {
		if k, v, _ := strings.Cut(kv, "="); k == name {
			return v, true
		}
	}
	return "", false
}
