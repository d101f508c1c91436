package delivery

import (
	"regexp"
	"time"
)

// ReleaseID names a release by the digest of its canonical JSON: "r-" and its
// first 12 hexadecimal digits.
type ReleaseID string

var releaseIDPattern = regexp.MustCompile(`^r-[0-9a-f]{12}$`)

// Valid reports whether r is a well-formed release ID.
func (r ReleaseID) Valid() bool { return releaseIDPattern.MatchString(string(r)) }

// Release is code, model and configuration as one immutable thing. Everything
// in it is pinned, and nothing in it depends on when or by which person it was made:
// the same inputs make the same release.
type Release struct {
	Schema      int          `json:"schema"` // 1
	Service     string       `json:"service"`
	Commit      string       `json:"commit"`
	Tree        string       `json:"tree"`
	Dirty       bool         `json:"dirty,omitempty"`
	Image       Image        `json:"image"`
	Model       *ModelRef    `json:"model,omitempty"`
	Workload    Workload     `json:"workload"`
	Manifests   Digest       `json:"manifests,omitempty"` // of Objects, or of the workload when there are none
	Objects     string       `json:"objects,omitempty"`   // rendered manifests: JSON array, without values of Secrets
	GateResults []GateResult `json:"gates,omitempty"`
	SBOM        Digest       `json:"sbom,omitempty"`
	Provenance  Digest       `json:"provenance,omitempty"`
}

// Workload is how a release runs: the configuration part of it.
type Workload struct {
	Replicas int               `json:"replicas"`
	Env      map[string]string `json:"env,omitempty"`    // never secrets: it is recorded
	Args     []string          `json:"args,omitempty"`   // after the image's entrypoint
	CPU      float64           `json:"cpu,omitempty"`    // cores per replica, 0: no limit
	Memory   int64             `json:"memory,omitempty"` // bytes per replica, 0: no limit
	Health   string            `json:"health"`           // path that names release and model version
	Ready    string            `json:"ready,omitempty"`  // path that returns 200 once it can handle requests; empty: Health
	Drain    Duration          `json:"drain,omitempty"`  // time for requests in flight at the end
}

// ReleaseRecord is a release as the records keep it.
type ReleaseRecord struct {
	ID          ReleaseID   `json:"id"`
	Digest      Digest      `json:"digest"`
	Release     Release     `json:"release"`
	CreatedAt   time.Time   `json:"created_at"`
	Run         RunID       `json:"run"`
	Quarantined *Quarantine `json:"quarantined,omitempty"`
}

// Quarantine keeps a release out of every environment until someone releases it.
type Quarantine struct {
	Release     ReleaseID   `json:"release"`
	Environment Environment `json:"environment"`
	Reason      string      `json:"reason"`
	Since       time.Time   `json:"since"`
	Run         RunID       `json:"run"`
}
