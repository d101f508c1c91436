package extension

import (
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// Step is a kind of step. The steps of every delivery are placed by package plan;
// an optional one has a Section, at the top of slipway.yaml and named like its
// kind, and a Stage.
type Step struct {
	Kind step.Kind
	New  func(p Ports) step.Step

	Section     Section // its JSON becomes the step's parameters
	Description string
	Stage       Stage
	Timeout     delivery.Duration // 0: none
	Cacheable   bool              // same files of the commit, same result
	Reason      string            // why it runs, for people
}

// Stage is where an optional step stands in a delivery.
type Stage string

// The stages.
const (
	AfterBuild   Stage = "after build"   // it needs the built image, and pushing waits for it
	BeforeDeploy Stage = "before deploy" // it needs what was pushed and approved, and deploying waits for it
)

// Ports are what steps reach the outside world through.
type Ports struct {
	Commands port.Commands
	Jobs     port.Jobs // of this machine
	JobsOn   JobsOn
	Builders map[string]port.Builder
	Scanners map[string]port.Scanner
	SBOMs    port.SBOMGenerator

	Images       port.ImageStore
	Artifacts    port.ArtifactStore
	ModelImages  port.ModelImagePacker
	Attestations port.AttestationStore
	Signers      port.SignerFactory
	Signatures   port.Verifier

	Models      port.ModelRegistry
	Releases    port.ReleaseStore
	Deployments port.DeploymentStore
	Approvals   port.ApprovalStore
	Costs       port.CostLedger
	Log         port.RecordLog // that the records are in; nil: they are those of one machine

	Targets map[string]port.Target
	Prober  port.Prober
	Metrics port.MetricsProvider
	// Monitors find the alarms of an environment; nil: none can.
	Monitors step.Monitors
	// Datasets find training data in a store of objects; nil: there are none.
	Datasets step.Datasets

	ContainsSecret func(text string) bool
	Version        string // of this program
}
