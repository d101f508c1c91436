package delivery

// TrustClass is how far the code that a run carries out is trusted. Runs of different classes share no
// cache whose content can't be verified: packages, build layers, results of steps.
// Values are names of folders.
type TrustClass string

// The classes.
const (
	Trusted   TrustClass = "trusted"   // what was pushed to the repository, or a person runs
	Untrusted TrustClass = "untrusted" // what a pull request proposes: anybody can open one
)

// TrustClasses are all of them.
func TrustClasses() []TrustClass { return []TrustClass{Trusted, Untrusted} }
