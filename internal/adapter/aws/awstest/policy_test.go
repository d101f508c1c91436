package awstest

import "testing"

const topic, other = "arn:aws:sns:ap-southeast-1:111122223333:releases", "arn:aws:sns:ap-southeast-1:444455556666:releases"

// TestPolicy_Table: what a policy says of accesses. Source: IAM's user guide, "Policy
// evaluation logic" and "Condition operators".
func TestPolicy_Table(t *testing.T) {
	statement := func(body string) string { return `{"Version": "2012-10-17", "Statement": [` + body + `]}` }
	allow := func(action, resource, condition string) string {
		s := `{"Effect": "Allow", "Action": "` + action + `", "Resource": "` + resource + `"`
		if condition != "" {
			s += `, "Condition": ` + condition
		}
		return s + "}"
	}
	publish := Access{Action: "sns:Publish", Resource: topic}
	with := func(key string, values ...string) Access {
		return Access{Action: "sns:Publish", Resource: topic, Keys: map[string][]string{key: values}}
	}
	for _, tt := range []struct {
		name, policy, boundary string
		access                 Access
		want                   Decision
	}{
		{"nothing allows", statement(allow("sns:Subscribe", "*", "")), "", publish, NotAllowed},
		{"exact", statement(allow("sns:Publish", topic, "")), "", publish, Allowed},
		{"case of actions", statement(allow("SNS:publish", topic, "")), "", publish, Allowed},
		{"wildcard action", statement(allow("sns:*", topic, "")), "", publish, Allowed},
		{"question mark", statement(allow("sns:Publis?", topic, "")), "", publish, Allowed},
		{"another account", statement(allow("sns:Publish", other, "")), "", publish, NotAllowed},
		{"wildcard resource", statement(allow("sns:Publish", "arn:aws:sns:*:*:rel*", "")), "", publish, Allowed},
		{"wildcard over a colon", statement(allow("sns:Publish", "arn:aws:sns:*:releases", "")), "", publish, NotAllowed},
		{"an action without a resource", statement(allow("ecr:GetAuthorizationToken", "arn:aws:ecr:*:*:repository/x", "")), "", Access{Action: "ecr:GetAuthorizationToken", Resource: "*"}, NotAllowed},
		{"deny wins", statement(allow("sns:*", "*", "") + `, {"Effect": "Deny", "Action": "sns:Publish", "Resource": "*"}`), "", publish, Refused},
		{"deny of something else", statement(allow("sns:*", "*", "") + `, {"Effect": "Deny", "Action": "sns:DeleteTopic", "Resource": "*"}`), "", publish, Allowed},
		{"boundary allows", statement(allow("sns:*", "*", "")), statement(allow("sns:Publish", "*", "")), publish, Allowed},
		{"boundary does not", statement(allow("sns:*", "*", "")), statement(allow("ecr:*", "*", "")), publish, NotAllowed},
		{"boundary alone allows nothing", statement(allow("ecr:*", "*", "")), statement(allow("sns:*", "*", "")), publish, NotAllowed},
		{"StringEquals", statement(allow("sns:*", "*", `{"StringEquals": {"aws:k": ["a", "b"]}}`)), "", with("aws:k", "b"), Allowed},
		{"StringEquals of another", statement(allow("sns:*", "*", `{"StringEquals": {"aws:k": "a"}}`)), "", with("aws:k", "b"), NotAllowed},
		{"StringEquals of an absent key", statement(allow("sns:*", "*", `{"StringEquals": {"aws:k": "a"}}`)), "", publish, NotAllowed},
		{"StringEqualsIfExists", statement(allow("sns:*", "*", `{"StringEqualsIfExists": {"aws:k": "a"}}`)), "", publish, Allowed},
		{"case of keys", statement(allow("sns:*", "*", `{"StringEquals": {"AWS:K": "a"}}`)), "", with("aws:k", "a"), Allowed},
		{"case of values", statement(allow("sns:*", "*", `{"StringEquals": {"aws:k": "A"}}`)), "", with("aws:k", "a"), NotAllowed},
		{"StringLike", statement(allow("sns:*", "*", `{"StringLike": {"aws:k": "repo:o/r:*"}}`)), "", with("aws:k", "repo:o/r:ref:refs/heads/main"), Allowed},
		{"StringNotEquals", statement(allow("sns:*", "*", `{"StringNotEquals": {"aws:k": "Approved"}}`)), "", with("aws:k", "Rejected"), Allowed},
		{"StringNotEquals of it", statement(allow("sns:*", "*", `{"StringNotEquals": {"aws:k": "Approved"}}`)), "", with("aws:k", "Approved"), NotAllowed},
		{"two operators", statement(allow("sns:*", "*", `{"StringEquals": {"aws:k": "a"}, "StringLike": {"aws:m": "x*"}}`)), "", with("aws:k", "a"), NotAllowed},
		{"ArnLike", statement(allow("sns:*", "*", `{"ArnLike": {"aws:k": "arn:aws:sns:*:111122223333:*"}}`)), "", with("aws:k", topic), Allowed},
		{"ForAllValues", statement(allow("sns:*", "*", `{"ForAllValues:StringEquals": {"aws:k": ["a", "b"]}}`)), "", with("aws:k", "a", "b"), Allowed},
		{"ForAllValues of one more", statement(allow("sns:*", "*", `{"ForAllValues:StringEquals": {"aws:k": ["a", "b"]}}`)), "", with("aws:k", "a", "c"), NotAllowed},
		{"ForAllValues of an absent key", statement(allow("sns:*", "*", `{"ForAllValues:StringEquals": {"aws:k": "a"}}`)), "", publish, Allowed},
		{"ForAnyValue", statement(allow("sns:*", "*", `{"ForAnyValue:StringEquals": {"aws:k": "a"}}`)), "", with("aws:k", "c", "a"), Allowed},
		{"ForAnyValue of an absent key", statement(allow("sns:*", "*", `{"ForAnyValue:StringEquals": {"aws:k": "a"}}`)), "", publish, NotAllowed},
		{"Null", statement(allow("sns:*", "*", `{"Null": {"aws:k": "false"}}`)), "", with("aws:k", "a"), Allowed},
		{"Null of an absent key", statement(allow("sns:*", "*", `{"Null": {"aws:k": "false"}}`)), "", publish, NotAllowed},
		{"NumericLessThanEquals", statement(allow("sns:*", "*", `{"NumericLessThanEquals": {"aws:k": 3600}}`)), "", with("aws:k", "900"), Allowed},
		{"NumericLessThanEquals of more", statement(allow("sns:*", "*", `{"NumericLessThanEquals": {"aws:k": 3600}}`)), "", with("aws:k", "36000"), NotAllowed},
		{"Bool", statement(allow("sns:*", "*", `{"Bool": {"aws:SecureTransport": true}}`)), "", with("aws:SecureTransport", "true"), Allowed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := ParsePolicy(tt.policy)
			if err != nil {
				t.Fatal(err)
			}
			var boundary *Policy
			if tt.boundary != "" {
				b, err := ParsePolicy(tt.boundary)
				if err != nil {
					t.Fatal(err)
				}
				boundary = &b
			}
			if got := Decide([]Policy{p}, boundary, tt.access); got != tt.want {
				t.Errorf("decision %d, want %d", got, tt.want)
			}
		})
	}
}

// What the evaluator does not know counts as nothing nowhere.
func TestPolicy_Unknown(t *testing.T) {
	for _, text := range []string{
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "NotAction": "sns:*", "Resource": "*"}]}`,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sns:*", "NotResource": "*"}]}`,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sns:*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "1.2.3.4/32"}}}]}`,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Maybe", "Action": "sns:*", "Resource": "*"}]}`,
		`{"Version": "2008-10-17", "Statement": []}`,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sns:*"}]}`,
	} {
		if p, err := ParsePolicy(text); err == nil {
			t.Errorf("%s is %+v", text, p)
		}
	}
}
