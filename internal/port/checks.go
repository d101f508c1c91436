package port

import "context"

// CheckState is what a check came to.
type CheckState string

// The states.
const (
	CheckOK      CheckState = "ok"
	CheckWarning CheckState = "warning" // deliveries work, with less
	CheckFailed  CheckState = "failed"  // a delivery would fail because of it
	CheckUnknown CheckState = "unknown" // it could not be found out
)

// CheckResult is what a check found.
type CheckResult struct {
	State CheckState `json:"state"`
	Seen  string     `json:"seen"`           // one line
	Mend  string     `json:"mend,omitempty"` // command or statement that mends it; set unless it is ok
}

// Check looks at one thing that deliveries depend on.
type Check struct {
	Name string // unique in its place
	// Run changes nothing, and returns soon after ctx ends. Safe for concurrent use with
	// the other checks of its place.
	Run func(ctx context.Context) CheckResult
}

// CheckRequest is what is to be delivered.
type CheckRequest struct {
	Platforms []string // of the image: "linux/amd64"; empty: not known
}

// Checker is a target that can be looked at before anything is delivered there.
type Checker interface {
	// Checks returns what can be looked at, in the order in which it is shown. It does not
	// connect yet.
	Checks(req CheckRequest) []Check
}
