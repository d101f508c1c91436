package extension

import (
	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/port"
)

// Builder is a kind of image builder: image: {build: {KIND: ..., more keys of the
// section}}.
type Builder struct {
	Kind    Kind
	Example string // for hints: "go: ./cmd/api"
	Section Section
	// Inline merges the section's JSON into step.BuildParams, whose form was set
	// before builders had kinds; otherwise it is kept apart, under "options".
	Inline bool
	// New starts nothing yet. A builder that keeps helpers running between
	// commands is a Stopper.
	New      func(h Host) (port.Builder, error)
	Commands []Command
}

// Scanner is a kind of vulnerability scanner: scan: {with: KIND}. One whose
// database Slipway manages is a port.ScanDatabase as well; one that writes SBOMs a
// port.SBOMGenerator.
type Scanner struct {
	Kind        Kind
	Description string
	New         func(h Host) (port.Scanner, error)
	// Rights is what it calls in AWS for the images of a repository of ECR; nil: nothing.
	Rights func(p AWSPlace, repository string) []account.Statement
}
