// Package delivery holds the vocabulary of Slipway as plain types: what is
// delivered, where it is deployed, and what is recorded about it. It imports no
// other package of Slipway and has no behavior.
package delivery

import (
	"fmt"
	"regexp"
	"time"
)

// RunID names one execution of a plan. It sorts by time and is safe in file
// names, image tags and job names: "20261124-101502-k3f9".
type RunID string

var runIDPattern = regexp.MustCompile(`^[0-9]{8}-[0-9]{6}-[a-z0-9]{4}$`)

// Valid reports whether r is a well-formed run ID. IDs come from command lines
// and become file names, so they are checked before use.
func (r RunID) Valid() bool { return runIDPattern.MatchString(string(r)) }

// Project names a service in its repository: what records, queues and rights belong
// to. For now it is the service's name.
type Project string

// Environment names where releases are deployed: "dev", "staging", "prod".
type Environment string

// Commit is the state of the source that a run delivers.
type Commit struct {
	SHA    string    `json:"sha"`              // 40 hexadecimal digits
	Tree   string    `json:"tree"`             // git tree that is built; differs from the commit's own when Dirty
	Dirty  bool      `json:"dirty,omitempty"`  // the working tree had changes that are not in SHA
	Branch string    `json:"branch,omitempty"` // empty when detached
	Time   time.Time `json:"time"`             // committer's time, UTC
	Source string    `json:"source,omitempty"` // URL of the remote, without credentials
}

// Short is the first seven digits of the SHA.
func (c Commit) Short() string {
	if len(c.SHA) < 7 {
		return c.SHA
	}
	return c.SHA[:7]
}

// Image is a container image, pinned. Repository has no tag; a repository
// without a registry's host lives in the embedded registry.
type Image struct {
	Repository string `json:"repository"`
	Digest     Digest `json:"digest"`
}

func (i Image) String() string { return fmt.Sprintf("%s@%s", i.Repository, i.Digest) }
