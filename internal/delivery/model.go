package delivery

import (
	"fmt"
	"time"
)

// ModelStatus is a model version's approval, with SageMaker's words.
type ModelStatus string

// The states of approval.
const (
	PendingApproval ModelStatus = "PendingManualApproval"
	Approved        ModelStatus = "Approved"
	Rejected        ModelStatus = "Rejected"
)

// ModelRef pins a registered model: a version and the digest of its artifact.
type ModelRef struct {
	Group   string `json:"group"`
	Version int    `json:"version"` // 1, 2, 3... within the group
	Digest  Digest `json:"digest"`  // of the OCI manifest that holds the files
}

func (m ModelRef) String() string { return fmt.Sprintf("%s:%d", m.Group, m.Version) }

// Metrics are what an evaluation computed: numbers by name, nested as it wrote
// them (map[string]any, float64, string, []any, nil).
type Metrics map[string]any

// Lineage is where a model came from.
type Lineage struct {
	Commit   string    `json:"commit"`             // SHA that was trained
	Data     Digest    `json:"data,omitempty"`     // of all training inputs
	Datasets []Dataset `json:"datasets,omitempty"` // of them: what was in a store of objects
	Job      string    `json:"job,omitempty"`      // the training job's name
	Run      RunID     `json:"run"`                // the run that trained it
	Command  string    `json:"command,omitempty"`  // as configured, without secrets
	Training Digest    `json:"training,omitempty"` // key of the training step's inputs
	Image    string    `json:"image,omitempty"`    // that it was trained in, by digest
	AddedBy  Actor     `json:"added_by,omitzero"`  // of one that was made elsewhere: no run trained it
	Why      string    `json:"why,omitempty"`      // it was added
	Box      string    `json:"box,omitempty"`      // that the training ran in; empty: none
	Unknown  Unknown   `json:"-"`
}

// Dataset is training data in a store of objects, as it was pinned: one object, or all
// below a prefix.
type Dataset struct {
	URI     string `json:"uri"`
	Digest  Digest `json:"digest"`            // of its objects' names, sizes, and versions or ETags
	Version string `json:"version,omitempty"` // of one object, where the store keeps versions
	Objects int    `json:"objects"`
	Size    int64  `json:"size"`              // bytes
	Content Digest `json:"content,omitempty"` // SHA-256 of the one object, or the FolderDigest of all; empty: not read yet
}

// ModelVersion is one entry of the model registry, with the newest decision on it.
type ModelVersion struct {
	ModelRef
	Status       ModelStatus `json:"status"`
	Metrics      Metrics     `json:"metrics"`
	Lineage      Lineage     `json:"lineage"`
	CreatedAt    time.Time   `json:"created_at"`
	DecidedBy    string      `json:"decided_by,omitempty"` // DecidedActor, for people
	DecidedActor Actor       `json:"decided_actor,omitzero"`
	DecidedAt    time.Time   `json:"decided_at,omitzero"`
	Why          string      `json:"why,omitempty"`
	Unsigned     bool        `json:"unsigned,omitempty"` // of a history that no trusted key has signed
	Unknown      Unknown     `json:"-"`                  // see ModelDocument
}

// ModelDecision approves or rejects a model version. A later one revises it; all of
// them are kept.
type ModelDecision struct {
	Status  ModelStatus `json:"status"`            // Approved or Rejected
	Revises ModelStatus `json:"revises,omitempty"` // what it was before
	By      Actor       `json:"actor"`
	Why     string      `json:"why,omitempty"`
	At      time.Time   `json:"at"`
}
