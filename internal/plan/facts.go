package plan

import (
	"encoding/json"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// Facts are what a plan is made from besides the file and the trigger. The caller
// looks them up; making a plan touches nothing. A fact that does not exist is
// nil.
type Facts struct {
	Run    delivery.RunID
	Commit delivery.Commit
	Files  []port.File // of Commit.Tree
	Data   []Data      // of the project's model.data, in that order

	Datasets []delivery.Dataset // of Data: what is in a store of objects, as it is pinned

	// DataDigest is over all of Data together, as the steps compute it before and
	// after they read it. Empty: that of the one path, and with several paths the
	// steps take the data as they find it.
	DataDigest delivery.Digest

	Serving        *delivery.Deployment    // in the environment
	ServingRelease *delivery.ReleaseRecord // what it serves
	Pending        int                     // records of the environment's history that no trusted key has signed
	Held           *delivery.Deployment    // of the environment, newer than what serves: it failed, and kept the traffic
	NotServing     bool                    // the target does not run it, or all of it is down
	Drift          []port.Drift            // of what is live from what was deployed
	Unfinished     bool                    // other runs of the environment are queued or running
	Changed        *Changes                // between what serves and Commit.Tree; nil: not known

	NewestGood *delivery.ReleaseRecord // newest release that was accepted and is not quarantined, where the environment promotes from: for --deploy-only
	Accepted   []Acceptance            // by the environment's from, newest first
	LastGood   *delivery.ReleaseRecord // the one accepted before what serves, not quarantined: for a rollback
	LastName   delivery.ReleaseID      // the name under which LastGood ran in the environment
	Requested  *delivery.ReleaseRecord // the one that Trigger.To names

	Now  time.Time       // when the facts were looked up
	Jobs []port.JobEntry // what jobs cost that were begun earlier, as far as they count

	LatestApproved *delivery.ModelVersion // newest approved version of model.group
	RequestedModel *delivery.ModelVersion // the one that Trigger.Model names
	Champion       *delivery.ModelVersion // the one that serves

	Scripts map[string]string // content of the files that the evaluation command names (EvaluationScripts), by their paths

	TrustFiles map[string]string // content of the files that the environment's trust names, by their paths
	SmokeFiles map[string]string // and of those that its smoke checks send

	BoxKind step.BoxKind // that commands of the repository are to run in
	Box     Box          // that they run in on this machine

	// CachedResult finds the result that a cacheable step would get from the cache;
	// given holds the outputs of the steps that it reads (spec.Reads).
	// Nil: nothing is cached.
	CachedResult func(spec step.Spec, given map[string]json.RawMessage) (step.Result, bool)

	// ExistingResult finds what the step would find elsewhere instead of doing its
	// work: an image of the same inputs. Nil: nothing is found.
	ExistingResult func(spec step.Spec) (step.Result, bool)
}

// Data is one file or folder that training and evaluation read.
type Data struct {
	Path   string          // absolute, or the URI of one of Datasets
	Digest delivery.Digest // of its content
}

// Acceptance is a release that another environment accepted.
type Acceptance struct {
	Release delivery.ReleaseRecord
	Commit  string   // that brought it there
	Changed *Changes // between what was accepted and Commit.Tree; nil: not known
}

// Changes are the paths that differ between two trees.
type Changes struct {
	Since string   // what the first tree is, for people: "r-0123456789ab"
	Paths []string // sorted
}
