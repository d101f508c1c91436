package account

import "encoding/json"

// Document is a policy of IAM: of an identity, of a boundary, or the trust of a role.
type Document struct {
	Statements []Statement
}

// documentVersion is the language of policies with variables and all operators.
const documentVersion = "2012-10-17"

// Statement allows calls, and says who needs them. Effects are Allow unless Deny is set.
type Statement struct {
	Sid        string
	Deny       bool
	Principals Principals
	Actions    []string
	Resources  []string   // ARNs; empty in a trust
	Conditions Conditions // of all of which each has to hold
	Needs      []Need     // not part of the policy: why it is there
}

// Principals are who a trust lets in, by kind: "Federated", "Service", "AWS".
type Principals map[string][]string

// Conditions are values by operator ("StringEquals") and key.
type Conditions map[string]map[string][]string

// Need is a reason for a statement.
type Need struct {
	Step string // of the pipeline, or what else calls: "push", "train", "the training job"
	Call string // what is called: "ecr:PutImage"; empty: all of the statement's actions
	Why  string // a clause: "to find an image that is there already"
}

// MarshalJSON writes the policy as IAM keeps it, without the needs.
func (d Document) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Version   string
		Statement []Statement
	}{documentVersion, append([]Statement{}, d.Statements...)})
}

// MarshalJSON writes the statement as IAM keeps it, without the needs. A list of one is
// written as its value, as in AWS's own documents.
func (s Statement) MarshalJSON() ([]byte, error) {
	w := struct {
		Sid       string         `json:",omitempty"`
		Effect    string         `json:""`
		Principal map[string]any `json:",omitempty"`
		Action    any            `json:""`
		Resource  any            `json:",omitempty"`
		Condition map[string]any `json:",omitempty"`
	}{Sid: s.Sid, Effect: "Allow", Principal: map[string]any{}, Action: oneOrMore(s.Actions), Condition: map[string]any{}}
	if s.Deny {
		w.Effect = "Deny"
	}
	if len(s.Resources) > 0 {
		w.Resource = oneOrMore(s.Resources)
	}
	for kind, names := range s.Principals {
		w.Principal[kind] = oneOrMore(names)
	}
	for operator, keys := range s.Conditions {
		values := map[string]any{}
		for key, all := range keys {
			values[key] = oneOrMore(all)
		}
		w.Condition[operator] = values
	}
	return json.Marshal(w)
}

func oneOrMore(values []string) any {
	if len(values) == 1 {
		return values[0]
	}
	return values
}
