package delivery

import "regexp"

// Patterns of names, which the JSON Schema of slipway.yaml repeats.
const (
	LabelPattern    = `^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`   // a DNS label: services, environments, namespaces
	TestNamePattern = `^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$`  // tests in slipway.yaml
	stepNamePattern = `^[a-z0-9]([a-z0-9._-]{0,80}[a-z0-9])?$` // steps in a plan: "test.unit"
	fileNamePattern = `^[A-Za-z0-9][A-Za-z0-9._-]*$`           // what is safe as the name of a file
)

var (
	labelName = regexp.MustCompile(LabelPattern)
	stepName  = regexp.MustCompile(stepNamePattern)
	fileName  = regexp.MustCompile(fileNamePattern)
)

// Name is what a service, an environment or a step is called. Names become image
// tags, job names, labels and file names.
type Name string

// IsLabel reports whether n is a DNS label.
func (n Name) IsLabel() bool { return labelName.MatchString(string(n)) }

// IsStepName reports whether n can name a step of a plan.
func (n Name) IsStepName() bool { return stepName.MatchString(string(n)) }

// IsFileName reports whether n, of at most maxLength bytes, can name a file. Plans of
// earlier versions are held against nothing stricter.
func (n Name) IsFileName(maxLength int) bool {
	return len(n) <= maxLength && fileName.MatchString(string(n))
}
