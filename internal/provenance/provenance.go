// Package provenance makes and reads statements about what is delivered: in-toto
// Statement v1, with SLSAPredicate v1 provenance, bills of materials, or nothing but the
// fact of being signed. It is pure: the same facts make the same bytes.
package provenance

import (
	"encoding/json"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// The forms of statements.
const (
	StatementType = "https://in-toto.io/Statement/v1"
	PayloadType   = "application/vnd.in-toto+json"
)

// The predicate types.
const (
	SignaturePredicate = "https://sigstore.dev/cosign/sign/v1" // an empty predicate: the subject is signed, no more
	SLSAPredicate      = "https://slsa.dev/provenance/v1"
	CycloneDXPredicate = "https://cyclonedx.org/bom"
	SPDXPredicate      = "https://spdx.dev/Document"
)

// How Slipway builds. The addresses name the meaning of the parameters; they
// never change once they are released.
const (
	ImageBuildType = "https://slipway-cd.github.io/slipway/build/image/v1"
	ModelBuildType = "https://slipway-cd.github.io/slipway/build/model/v1"
	BuilderURI     = "https://slipway-cd.github.io/slipway"
)

// Names of resolved dependencies.
const (
	sourceName  = "source"          // the commit
	dataName    = "data"            // all that training and evaluation read
	datasetName = "dataset"         // what of it was in a store of objects
	inputsName  = "training-inputs" // the training step's files and data
	baseName    = "base"            // an image that the image is built on
)

// Statement is an in-toto statement about its subjects.
type Statement struct {
	Type          string               `json:"_type"`
	Subject       []ResourceDescriptor `json:"subject"`
	PredicateType string               `json:"predicateType"`
	Predicate     json.RawMessage      `json:"predicate"`
}

// ResourceDescriptor is a thing with its digests: "sha256", "gitCommit" or "gitTree" to
// hexadecimal digits.
type ResourceDescriptor struct {
	Name        string            `json:"name,omitempty"`
	URI         string            `json:"uri,omitempty"`
	Digest      map[string]string `json:"digest,omitempty"`
	Annotations map[string]any    `json:"annotations,omitempty"`
}

// Provenance is the SLSA v1 predicate: what was built, from what, and by which builder.
type Provenance struct {
	BuildDefinition BuildDefinition `json:"buildDefinition"`
	RunDetails      RunDetails      `json:"runDetails"`
}

// BuildDefinition is the part that the same inputs make again: External is what
// slipway.yaml says, Internal what Slipway adds, Dependencies what went in.
type BuildDefinition struct {
	BuildType            string               `json:"buildType"`
	ExternalParameters   json.RawMessage      `json:"externalParameters"`
	InternalParameters   json.RawMessage      `json:"internalParameters,omitempty"`
	ResolvedDependencies []ResourceDescriptor `json:"resolvedDependencies,omitempty"`
}

// RunDetails is the part that differs from run to run.
type RunDetails struct {
	Builder  BuilderID     `json:"builder"`
	Metadata BuildMetadata `json:"metadata,omitzero"`
}

// BuilderID is who built.
type BuilderID struct {
	ID      string            `json:"id"`
	Version map[string]string `json:"version,omitempty"`
}

// BuildMetadata is which run it was, and when.
type BuildMetadata struct {
	InvocationID string    `json:"invocationId,omitempty"`
	StartedOn    time.Time `json:"startedOn,omitzero"`
	FinishedOn   time.Time `json:"finishedOn,omitzero"`
}

// ImageFacts are what is known of an image's build.
type ImageFacts struct {
	Service    string
	Image      delivery.Image
	Commit     delivery.Commit
	Parameters json.RawMessage // what slipway.yaml configures: a JSON object without values of secrets
	BaseImages []string        // pinned references of images that it is built on
	RunDetails RunDetails
}

// ModelFacts are what is known of a model's training.
type ModelFacts struct {
	Service    string
	Model      delivery.ModelRef
	Lineage    delivery.Lineage
	Metrics    delivery.Metrics
	Source     string // URL of the repository, without credentials
	Parameters json.RawMessage
	RunDetails RunDetails
}
