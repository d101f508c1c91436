// Package local implements a target on this Linux machine without further
// requirements. It runs releases as containers under a supervisor, which outlives
// the command that started it, and provides one stable loopback port for each
// environment.
//
// Replicas share the host's network: they listen on loopback ports of their own
// (PORT) and can reach whatever a local process can. Those of a service with a
// fixed port have a network of their own instead. They have a read-only root
// file system, a separate process namespace, a private /tmp and the model in
// /model, and run as an unprivileged user without capabilities.
package local

import (
	"time"

	"github.com/slipway-cd/slipway/internal/port"
)

// The internal commands of the program, see RunInternal.
const (
	SuperviseCommand = "supervise"
	LaunchCommand    = "launch-containers"
	InitCommand      = "container-init"
)

// Config configures the target. Runtime and the durations have defaults.
type Config struct {
	Dir           string             // state folder (".slipway/local"); created if missing
	Executable    string             // this program; default: os.Executable
	SuperviseArgs []string           // arguments that call Supervise; default: "supervise"
	InitArgs      []string           // arguments that call ContainerInit; default: "container-init"
	Runtime       string             // "bwrap", "namespaces", or "" to select one
	StartTimeout  time.Duration      // until a release must be ready; default 2 min
	GracePeriod   time.Duration      // between SIGTERM and SIGKILL; default 10 s
	ProbeInterval time.Duration      // between probes of a ready replica; default 5 s
	HungTimeout   time.Duration      // after which one that neither responds nor computes is replaced; default 30 s
	Images        port.ImageStore    //
	Artifacts     port.ArtifactStore //

	// LookupEnv returns the variables that the service's own refer to as ${NAME};
	// default: os.LookupEnv.
	LookupEnv func(name string) (string, bool)
}
