// Package local is the target that needs nothing but this Linux machine: it runs
// releases as containers under a supervisor of its own, which outlives the
// command that started it, and puts one stable loopback port before each
// environment.
//
// Replicas share the host's network: they listen on loopback ports of their own
// (PORT), and can reach what any local process can. They see a read-only root,
// their own processes, a private /tmp, the model on /model, and run as an
// unprivileged user without capabilities.
package local

import (
	"time"

	"github.com/slipway-cd/slipway/internal/port"
)

// The hidden commands that the program must answer to, see Hidden.
const (
	SuperviseCommand = "supervise"
	InitCommand      = "container-init"
)

// Config is what the target needs. Runtime and the durations have defaults.
type Config struct {
	Dir           string             // state folder (".slipway/local"); made when missing
	Executable    string             // this very program; default: os.Executable
	SuperviseArgs []string           // arguments that make it call Supervise; default: "supervise"
	InitArgs      []string           // arguments that make it call ContainerInit; default: "container-init"
	Runtime       string             // "bwrap", "namespaces", or "": what works
	StartTimeout  time.Duration      // until a release must be ready; default 2 min
	GracePeriod   time.Duration      // between SIGTERM and SIGKILL; default 10 s
	Images        port.ImageStore    //
	Artifacts     port.ArtifactStore //
}
