package extension

import (
	"context"
	"io"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// Host is what a constructor may build upon.
type Host struct {
	Repository string // absolute folder with slipway.yaml
	Home       string // absolute folder of the state
	Cache      string // absolute folder of the project's caches; each delivery.TrustClass has a folder in it
	Executable string // absolute path of this program
	Version    string
	LookupEnv  func(name string) (string, bool)
	Clock      func() time.Time

	RegistryRoles map[string]string // by which registries are reached, by their hosts; none: with the credentials as they are

	Images    port.ImageStore
	Artifacts port.ArtifactStore
	Models    port.ModelRegistry // the embedded one

	ScanArchives port.ScanArchives // shared with other machines; nil: none

	// HistoryKeys returns the project's keys for what is recorded beside the deployments
	// of an environment; nil: it has none.
	HistoryKeys func(delivery.Environment) (port.HistoryKeys, error)
	Signers     port.SignerFactory
	Signatures  port.Verifier

	ContainsSecret func(text string) bool
}

// Stopper is what keeps helpers running between commands: Stop ends them.
type Stopper interface {
	Stop(ctx context.Context) error
}

// Command is an internal command: the program runs it when it is called with its
// name as the first argument, before anything else is looked at.
type Command struct {
	Name string
	// CatchSignals ends ctx with SIGTERM or an interrupt; otherwise they end the
	// process, as usual.
	CatchSignals bool
	// Dumpable lets other processes of the same user read this one: it makes user
	// namespaces, which an ordinary user can't otherwise (see package dumpable).
	Dumpable bool
	Run      func(ctx context.Context, args []string, out io.Writer) (exitCode int)
}
