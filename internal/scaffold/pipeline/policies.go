package pipeline

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

var (
	openSubject  = regexp.MustCompile(`"repo:[^"]*\*"`)
	openResource = regexp.MustCompile(`"Resource"\s*:\s*(?:\[\s*)?"\*"`)
)

// PolicyFlaws are the mistakes of an IAM policy, such as the trust policy of the role
// that a pipeline takes. Other files have none.
func PolicyFlaws(file string, data []byte) []Flaw {
	var doc struct{ Statement json.RawMessage }
	if json.Unmarshal(data, &doc) != nil || len(doc.Statement) == 0 {
		return nil
	}
	var out []Flaw
	sid := ""
	for i, line := range strings.Split(string(data), "\n") {
		if m := statementID.FindStringSubmatch(line); m != nil {
			sid = " of statement " + m[1]
		}
		at := fmt.Sprintf("%s:%d", file, i+1)
		switch {
		case openSubject.MatchString(line):
			out = append(out, Flaw{
				Rule: "open-trust", At: at, What: "every branch, tag and pull request of the repository may take the role",
				Instead: "name the environment: repo:OWNER/NAME:environment:prod",
			})
		case openResource.MatchString(line):
			out = append(out, Flaw{
				Rule: "open-resource", At: at, What: "the actions" + sid + " are allowed on every resource of the account",
				Instead: "name the resources by their ARNs",
			})
		}
	}
	return out
}

var statementID = regexp.MustCompile(`"Sid"\s*:\s*"([A-Za-z0-9]+)"`)
