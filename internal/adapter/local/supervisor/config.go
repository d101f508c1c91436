//go:build linux

package supervisor

import (
	"io"
	"log"
	"os"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/container"
)

// Config configures a supervisor. Only Dir and Runtime are required.
type Config struct {
	Dir           string            // state folder, absolute
	Runtime       container.Runtime //
	StartTimeout  time.Duration     // until a release must be ready; default 2 min
	DrainTimeout  time.Duration     // for in-flight requests, unless the workload sets it; default 10 s
	GracePeriod   time.Duration     // between SIGTERM and SIGKILL; default 10 s
	MinBackoff    time.Duration     // before the first restart; default 100 ms, doubled each time
	MaxBackoff    time.Duration     // default 30 s
	StableAfter   time.Duration     // run time after which the backoff starts over; default 30 s
	ProbeInterval time.Duration     // between probes of a ready replica; default 5 s
	HungTimeout   time.Duration     // after which one that neither responds nor computes is replaced; default 30 s
	IdleTimeout   time.Duration     // exits after having had no release for this time; default 3 s
	MaxLogSize    int64             // size of a replica's log at which it is rotated; default 4 MiB (defaultMaxLogSize)
	Log           *log.Logger       // default: discarded
	Now           func() time.Time

	// Show keeps a file open, under a name, in a process that others of this user can
	// look into, as they can't into this one; default: nowhere. The file is its from then
	// on. An error loses only what commands can show.
	Show func(name string, f *os.File) error

	ports  *ports
	folder *folder // Dir
	token  string  // of probes
}

const defaultMaxLogSize = 4 << 20

func (c *Config) setDefaults() {
	for d, value := range map[*time.Duration]time.Duration{
		&c.StartTimeout: 2 * time.Minute, &c.DrainTimeout: 10 * time.Second, &c.GracePeriod: 10 * time.Second,
		&c.MinBackoff: 100 * time.Millisecond, &c.MaxBackoff: 30 * time.Second, &c.StableAfter: 30 * time.Second, &c.IdleTimeout: 3 * time.Second,
		&c.ProbeInterval: 5 * time.Second, &c.HungTimeout: 30 * time.Second,
	} {
		if *d == 0 {
			*d = value
		}
	}
	if c.MaxLogSize == 0 {
		c.MaxLogSize = defaultMaxLogSize
	}
	if c.Log == nil {
		c.Log = log.New(io.Discard, "", 0)
	}
	if c.Show == nil {
		c.Show = func(_ string, f *os.File) error { return f.Close() }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.ports = &ports{}
}
