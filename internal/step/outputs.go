package step

import (
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestOutput is the output of a test step.
type TestOutput struct {
	Passed   int           `json:"passed"`
	Failed   int           `json:"failed"`
	Skipped  int           `json:"skipped"`
	Flaky    int           `json:"flaky,omitempty"` // of those that passed: failed at first
	Failures []TestFailure `json:"failures,omitempty"`

	FlakyTests []string `json:"flaky_tests,omitempty"` // names

	Box BoxKind `json:"box,omitempty"` // that the command ran in; empty: none
}

// TestFailure is one test that failed.
type TestFailure struct {
	Name     string `json:"name"`
	Location string `json:"where,omitempty"` // file:line, relative to the checkout
	Message  string `json:"message,omitempty"`
}

// BuildOutput is the output of a build step.
type BuildOutput struct {
	port.BuiltImage

	// Inputs is what the image was built from, see BuildParams.InputsDigest; empty
	// when it is not known.
	Inputs delivery.Digest `json:"inputs,omitempty"`
	// Existing: the registry has an image of the same inputs, which is used. It has
	// no Layout, and its Size and Bases are not known.
	Existing bool `json:"existing,omitempty"`

	Unknown delivery.Unknown `json:"-"`
}

// MarshalJSON writes the unknown fields, too: a cached output is written again.
func (o BuildOutput) MarshalJSON() ([]byte, error) {
	type plain BuildOutput
	return delivery.MarshalDocument(plain(o), o.Unknown)
}

// UnmarshalJSON keeps the unknown fields.
func (o *BuildOutput) UnmarshalJSON(raw []byte) (err error) {
	type plain BuildOutput
	o.Unknown, err = delivery.UnmarshalDocument(raw, (*plain)(o))
	return err
}

// ScanOutput is the output of a scan step.
type ScanOutput struct {
	Verdict             delivery.Verdict `json:"verdict"`            // passed | failed | unavailable
	UnavailableAccepted bool             `json:"accepted,omitempty"` // unavailable, and the environment accepts that
	Image               delivery.Digest  `json:"image"`              // manifest of the image that was scanned

	Scanner      string         `json:"scanner,omitempty"` // with its version
	Database     time.Time      `json:"database,omitzero"` // when its vulnerability database was built
	Distribution string         `json:"distribution,omitempty"`
	Packages     map[string]int `json:"packages,omitempty"` // number of packages, by ecosystem

	Counts          map[delivery.Severity]int `json:"counts,omitempty"`   // of all findings
	Blocking        int                       `json:"blocking,omitempty"` // findings that fail the gate
	Waived          int                       `json:"waived,omitempty"`
	SuppressedByVEX int                       `json:"excused,omitempty"`  // findings that VEX documents suppress
	Findings        []delivery.Finding        `json:"findings,omitempty"` // blocking ones first; not all if there are many

	SBOMs *port.SBOMs    `json:"bills,omitempty"` // of the image
	SARIF *port.Document `json:"sarif,omitempty"`
	Table *port.Document `json:"table,omitempty"` // the findings as text
}

// PushOutput is the output of a push step.
type PushOutput struct {
	Image     delivery.Image `json:"image"`
	Tag       string         `json:"tag"`
	Reference string         `json:"reference"` // for other tools
}

// TrainOutput is the output of a train step.
type TrainOutput struct {
	Dir    string          `json:"dir"`    // folder with the model's files
	Files  delivery.Digest `json:"files"`  // of their names and contents
	Data   delivery.Digest `json:"data"`   // of the training data
	Job    string          `json:"job"`    //
	Commit string          `json:"commit"` // at which it was trained: an earlier one if cached

	Command string          `json:"command,omitempty"` // as configured, with its templates
	Inputs  delivery.Digest `json:"inputs,omitempty"`  // of the train step
	Box     BoxKind         `json:"box,omitempty"`     // that the command ran in; empty: none
	Image   string          `json:"image,omitempty"`   // that the command ran in, by digest

	Datasets []delivery.Dataset `json:"datasets,omitempty"` // of the data, with their content
}

// EvaluateOutput is the output of an evaluate step.
type EvaluateOutput struct {
	Dir     string           `json:"dir"` // the model's files and metrics.json
	Metrics delivery.Metrics `json:"metrics"`

	// GateResults depend on the model alone, not on the champion: they become
	// part of the release.
	GateResults []delivery.GateResult `json:"gates,omitempty"`

	Box BoxKind `json:"box,omitempty"` // that the command ran in; empty: none

	Unknown delivery.Unknown `json:"-"`
}

// MarshalJSON writes the unknown fields, too: a cached output is written again.
func (o EvaluateOutput) MarshalJSON() ([]byte, error) {
	type plain EvaluateOutput
	return delivery.MarshalDocument(plain(o), o.Unknown)
}

// UnmarshalJSON keeps the unknown fields.
func (o *EvaluateOutput) UnmarshalJSON(raw []byte) (err error) {
	type plain EvaluateOutput
	o.Unknown, err = delivery.UnmarshalDocument(raw, (*plain)(o))
	return err
}

// RegisterOutput is the output of a register step.
type RegisterOutput struct {
	Model  delivery.ModelRef    `json:"model"`
	Status delivery.ModelStatus `json:"status"`
	SBOMs  *port.SBOMs          `json:"bills,omitempty"` // of the model
}

// AttestOutput is the output of an attest step.
type AttestOutput struct {
	By         port.SignerIdentity `json:"by"`
	Provenance delivery.Digest     `json:"provenance"` // of what the same inputs always reproduce: the release pins it
	Statements []Statement         `json:"statements"`
}

// Statement is one signed statement about a subject.
type Statement struct {
	Subject   delivery.Digest `json:"subject"`
	Predicate string          `json:"predicate"`       // predicate type
	Digest    delivery.Digest `json:"digest"`          // of the manifest that holds it
	Existing  bool            `json:"found,omitempty"` // it had been attached before
}

// ApproveOutput is the output of an approve step.
type ApproveOutput struct {
	Model  *delivery.ModelRef `json:"model,omitempty"`
	By     []string           `json:"by,omitempty"`     // names of those who approved the deployment
	Actors []delivery.Actor   `json:"actors,omitempty"` // who they are
}

// DeployOutput is the output of deploy, verify, watch and rollback steps.
type DeployOutput struct {
	Release         delivery.ReleaseID `json:"release,omitempty"`
	Deployment      int64              `json:"deployment,omitempty"`
	URL             string             `json:"url,omitempty"`
	AlreadyDeployed bool               `json:"already,omitempty"` // nothing was changed
	Since           time.Time          `json:"since,omitzero"`    // when it received the traffic
	// Identity is by what the target proved the release; empty: the service names it,
	// or nothing was verified.
	Identity port.ProofMethod `json:"identity,omitempty"`
}
