package delivery

import (
	"regexp"
	"strings"
	"time"
)

// ReleaseID names a release by the digest of what it contains: "r-" and its first 12
// hexadecimal digits. Where an environment overrides the release's configuration,
// what runs there is named by the release's ID, a dash, and six digits of the
// configuration's digest.
type ReleaseID string

var releaseIDPattern = regexp.MustCompile(`^r-[0-9a-f]{12}(-[0-9a-f]{6})?$`)

// baseLength is the length of an ID without overrides: "r-" and 12 digits.
const baseLength = 14

// Valid reports whether r is a well-formed release ID, with or without overrides.
func (r ReleaseID) Valid() bool { return releaseIDPattern.MatchString(string(r)) }

// Base returns the release's own ID, without overrides.
func (r ReleaseID) Base() ReleaseID {
	if !r.Valid() {
		return r
	}
	return r[:baseLength]
}

// With returns the name of the release as it runs with the configuration; nil: its
// own.
func (r ReleaseID) With(c *Configuration) ReleaseID {
	if c == nil {
		return r
	}
	return ReleaseID(string(r) + "-" + c.Digest().Hex()[:6])
}

// ReleaseForm is the form of the releases that are made now.
const ReleaseForm = 2

// Release is code, model and configuration as one immutable thing. It is what it
// contains: whoever makes it, whenever, and from whichever commit, the same content
// is the same release. The rest is its Origin.
type Release struct {
	Schema    int       `json:"schema"` // ReleaseForm, or 1
	Service   string    `json:"service"`
	Image     Image     `json:"image"`
	Model     *ModelRef `json:"model,omitempty"`
	Workload  Workload  `json:"workload"`
	Manifests Digest    `json:"manifests,omitempty"` // of Objects, or of the workload when there are none
	Objects   string    `json:"objects,omitempty"`   // rendered manifests: JSON array, without values of Secrets

	FormOne

	Unknown Unknown `json:"-"`
}

// FormOne is what releases of form 1 held besides their content; it is empty in
// newer ones. Such a release keeps the name that it was given.
type FormOne struct {
	Commit      string       `json:"commit,omitempty"`
	Tree        string       `json:"tree,omitempty"`
	Dirty       bool         `json:"dirty,omitempty"`
	GateResults []GateResult `json:"gates,omitempty"`
	SBOM        Digest       `json:"sbom,omitempty"`
	Provenance  Digest       `json:"provenance,omitempty"`
}

// ModelDigest returns the digest of the release's model, or "" without one.
func (r Release) ModelDigest() Digest {
	if r.Model == nil {
		return ""
	}
	return r.Model.Digest
}

// ModelPackageVariable is the variable that tells a service which version of its model
// to load from the registry: the name that the version has there.
const ModelPackageVariable = "MODEL_PACKAGE_ARN"

// LoadsModel reports whether the service loads its model itself: its objects tell it
// which one.
func (r Release) LoadsModel() bool {
	return r.Model != nil && strings.Contains(r.Objects, `"`+ModelPackageVariable+`"`)
}

// Configuration returns how the release runs where nothing is overridden.
func (r Release) Configuration() Configuration {
	return Configuration{Workload: r.Workload, Manifests: r.Manifests, Objects: r.Objects}
}

// WithConfiguration returns the release as it runs with the configuration; nil: its
// own.
func (r Release) WithConfiguration(c *Configuration) Release {
	if c != nil {
		r.Workload, r.Manifests, r.Objects = c.Workload, c.Manifests, c.Objects
	}
	return r
}

// Origin is what is known about the making of a release: a run that made it, from
// which commit, and what its gates found. A release may be made more than once.
type Origin struct {
	Run         RunID        `json:"run"`
	Commit      string       `json:"commit,omitempty"`
	Tree        string       `json:"tree,omitempty"`
	Dirty       bool         `json:"dirty,omitempty"`
	GateResults []GateResult `json:"gates,omitempty"`
	SBOM        Digest       `json:"sbom,omitempty"`
	Provenance  Digest       `json:"provenance,omitempty"` // of what the same inputs always reproduce
	Inputs      Inputs       `json:"inputs,omitzero"`
	CreatedAt   time.Time    `json:"created_at,omitzero"`
	Imported    bool         `json:"imported,omitempty"` // no run made it: it served before the first deployment
	Unknown     Unknown      `json:"-"`
}

// Inputs are the digests of what a release was made from. They are known before it
// is made, and tell it from others where making it again gives another digest.
type Inputs struct {
	Build         Digest  `json:"build,omitempty"`         // of what the image was built from
	Configuration Digest  `json:"configuration,omitempty"` // of the configuration, its manifests as they are in the commit
	Policy        Digest  `json:"policy,omitempty"`        // of what was demanded of it: scan, signatures
	Unknown       Unknown `json:"-"`
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
	Port     int               `json:"port,omitempty"`   // that the service listens on; 0: the image's, or the target's choice; AnyPort

	Writable bool    `json:"writable,omitempty"` // the root file system, in a copy that is gone with the replica
	Unknown  Unknown `json:"-"`
}

// AnyPort is the port of a service that listens on PORT, whatever its image exposes.
const AnyPort = -1

// ReleaseRecord is a release as the records keep it.
type ReleaseRecord struct {
	ID          ReleaseID   `json:"id"`
	Digest      Digest      `json:"digest"` // of the record's canonical JSON
	Release     Release     `json:"release"`
	Origin      Origin      `json:"origin,omitzero"` // the newest
	CreatedAt   time.Time   `json:"created_at"`
	Run         RunID       `json:"run"` // that made it first
	Quarantined *Quarantine `json:"quarantined,omitempty"`
	Unsigned    bool        `json:"unsigned,omitempty"` // of a history that no trusted key has signed: pending
	Unknown     Unknown     `json:"-"`                  // see ReleaseDocument
}

// WithOrigin returns the record with its origin: records of form 1 hold it in the
// release.
func (r ReleaseRecord) WithOrigin() ReleaseRecord {
	if one := r.Release.FormOne; r.Origin.Run == "" {
		r.Origin = Origin{
			Run: r.Run, Commit: one.Commit, Tree: one.Tree, Dirty: one.Dirty, GateResults: one.GateResults,
			SBOM: one.SBOM, Provenance: one.Provenance, CreatedAt: r.CreatedAt,
		}
	}
	return r
}

// Quarantine keeps content out of every environment until someone releases it: a
// release, with all that has the same content or was made from the same inputs, or
// every release that has a part. Exactly one of Release, Image and Model is set.
//
// With Config only the release as it runs with that configuration is kept out, and
// Release is its name there; Inputs are what the deployment was made from.
type Quarantine struct {
	Release     ReleaseID   `json:"release,omitempty"`
	Image       Digest      `json:"image,omitempty"`
	Model       Digest      `json:"model,omitempty"`
	Environment Environment `json:"environment"`
	Reason      string      `json:"reason"`
	Since       time.Time   `json:"since"`
	Run         RunID       `json:"run"`
	EndedBy     Actor       `json:"ended_by,omitzero"` // who allowed it again, why and when; zero while it holds
	EndedWhy    string      `json:"ended_why,omitempty"`
	EndedAt     time.Time   `json:"ended_at,omitzero"`

	Config *Configuration `json:"config,omitempty"`
	Inputs Inputs         `json:"inputs,omitzero"` // with Config

	Unsigned bool    `json:"unsigned,omitempty"` // of a history that no trusted key has signed: it holds nothing
	Unknown  Unknown `json:"-"`
}

// LogHeading comes before the last lines of a log in a cause of more than one line.
const LogHeading = "; its last lines:"

// Subject names what the quarantine holds: a release, an image or a model.
func (q Quarantine) Subject() string {
	switch {
	case q.Image != "":
		return "image " + q.Image.Short()
	case q.Model != "":
		return "model " + q.Model.Short()
	}
	return string(q.Release)
}

// Summary is the reason without the lines of a log.
func (q Quarantine) Summary() string {
	summary, _, _ := strings.Cut(q.Reason, LogHeading)
	return summary
}
