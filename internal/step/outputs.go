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
	Failures []TestFailure `json:"failures,omitempty"`
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
}

// ScanOutput is the output of a scan step.
type ScanOutput struct {
	Verdict             delivery.Verdict `json:"verdict"`            // passed | failed | unavailable
	UnavailableAccepted bool             `json:"accepted,omitempty"` // unavailable, and the environment takes it all the same
	Image               delivery.Digest  `json:"image"`              // manifest of the image that was scanned

	Scanner      string         `json:"scanner,omitempty"` // name and version
	Database     time.Time      `json:"database,omitzero"` // when its data were collected
	Distribution string         `json:"distribution,omitempty"`
	Packages     map[string]int `json:"packages,omitempty"` // looked up, by ecosystem

	Counts          map[delivery.Severity]int `json:"counts,omitempty"`   // all findings
	Blocking        int                       `json:"blocking,omitempty"` // those that fail the gate
	Waived          int                       `json:"waived,omitempty"`
	SuppressedByVEX int                       `json:"excused,omitempty"`  // by VEX documents
	Findings        []delivery.Finding        `json:"findings,omitempty"` // blocking ones first; not all if there are many

	SBOMs *port.SBOMs    `json:"bills,omitempty"` // SBOMs of the image
	SARIF *port.Document `json:"sarif,omitempty"`
	Table *port.Document `json:"table,omitempty"` // the findings for people
}

// PushOutput is the output of a push step.
type PushOutput struct {
	Image     delivery.Image `json:"image"`
	Tag       string         `json:"tag"`
	Reference string         `json:"reference"` // for other tools
}

// TrainOutput is the output of a training step.
type TrainOutput struct {
	Dir    string          `json:"dir"`    // folder with the model's files
	Files  delivery.Digest `json:"files"`  // of their names and contents
	Data   delivery.Digest `json:"data"`   // of what it was trained on
	Job    string          `json:"job"`    //
	Commit string          `json:"commit"` // trained at: an earlier one when cached

	Command string          `json:"command,omitempty"` // as configured, before its templates are filled
	Inputs  delivery.Digest `json:"inputs,omitempty"`  // of the training step
}

// EvaluateOutput is the output of an evaluation step.
type EvaluateOutput struct {
	Dir     string           `json:"dir"` // the model's files with metrics.json beside them
	Metrics delivery.Metrics `json:"metrics"`

	// GateResults are the answers that depend on the model alone, not on the champion:
	// they become part of the release.
	GateResults []delivery.GateResult `json:"gates,omitempty"`
}

// RegisterOutput is the output of register and approve.
type RegisterOutput struct {
	Model  delivery.ModelRef    `json:"model"`
	Status delivery.ModelStatus `json:"status"`
	SBOMs  *port.SBOMs          `json:"bills,omitempty"` // SBOMs of the model, of register alone
}

// AttestOutput is the output of the step that signs.
type AttestOutput struct {
	By         port.SignerIdentity `json:"by"`
	Provenance delivery.Digest     `json:"provenance"` // of what the same inputs always make again: the release pins it
	Statements []Statement         `json:"statements"`
}

// Statement is one signed statement beside its subject.
type Statement struct {
	Subject   delivery.Digest `json:"subject"`
	Predicate string          `json:"predicate"`       // its type
	Digest    delivery.Digest `json:"digest"`          // of the manifest that holds it
	Existing  bool            `json:"found,omitempty"` // it was there already
}

// ApproveOutput is the output of an approval step.
type ApproveOutput struct {
	Model *delivery.ModelRef `json:"model,omitempty"`
	By    []string           `json:"by,omitempty"` // who let it in
}

// DeployOutput is the output of deploy, verify, watch and rollback.
type DeployOutput struct {
	Release         delivery.ReleaseID `json:"release,omitempty"`
	Deployment      int64              `json:"deployment,omitempty"`
	URL             string             `json:"url,omitempty"`
	AlreadyDeployed bool               `json:"already,omitempty"` // it was serving; nothing was changed
	Since           time.Time          `json:"since,omitzero"`    // when it took the traffic
}
