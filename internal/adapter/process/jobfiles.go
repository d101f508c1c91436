package process

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/slipway-cd/slipway/internal/atomicfile"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Files in a job's folder. They alone decide whether a job is known, running or
// over, so that any process can find out.
const (
	specFile    = "spec.json"    // what to run, without its environment
	startedFile = "started.json" // who runs it
	statusFile  = "status.json"  // how it ended
	logFile     = "log"          // what it printed
	stopFile    = "stop"         // its stop was requested
	submitLock  = "submit.lock"  // held while it is submitted
	claimLock   = "claim.lock"   // held by the process that runs it, for as long as that lives
	jobVariable = "SLIPWAY_JOB"  // in the environment of all its processes: the folder
)

// jobSpec is what to run. Its environment is not here: it may hold secrets.
type jobSpec struct {
	Name    string        `json:"name"`
	Run     string        `json:"run"`
	Dir     string        `json:"dir"`
	Timeout time.Duration `json:"timeout_ns"`
	Output  string        `json:"output"` // path of the first output

	Outputs map[string]string `json:"outputs,omitempty"` // URIs by name; records of older versions have none

	Box  *port.Box `json:"box,omitempty"`
	Hide []string  `json:"hide,omitempty"` // from a job in a box
}

// startRecord records who runs the job. A process is named by its ID, when it started,
// and the machine's boot.
type startRecord struct {
	PID   int    `json:"pid"`
	Since uint64 `json:"since"` // in the kernel's ticks; 0: unknown
	Boot  string `json:"boot"`
}

// endRecord is how the job ended.
type endRecord struct {
	Exit   port.Exit `json:"exit"`
	Reason string    `json:"reason,omitempty"`
	Ended  time.Time `json:"ended"`
}

func readStarted(folder string) (startRecord, bool, error) {
	var s startRecord
	ok, err := readJSON(folder, startedFile, &s)
	return s, ok, err
}

func fileExists(folder, name string) bool {
	_, err := os.Stat(filepath.Join(folder, name))
	return err == nil
}

// readJSON is ok when the file is there.
func readJSON(folder, name string, into any) (ok bool, err error) {
	raw, err := os.ReadFile(filepath.Join(folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fault.New(fault.FileKind(err), "read the job's %s", name).Cause(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return false, fault.New(fault.Corrupt, "read the job's %s", filepath.Join(folder, name)).Cause(err)
	}
	return true, nil
}

// writeJSON replaces the file as a whole, on the disk.
func writeJSON(folder, name string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(folder, name), raw, 0o600)
}
