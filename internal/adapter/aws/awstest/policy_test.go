package awstest_test

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

const topic, other = "arn:aws:sns:ap-southeast-1:111122223333:releases", "arn:aws:sns:ap-southeast-1:444455556666:releases"

// decided is a row of the table.
type decided struct {
	name, policy, boundary string
	access                 awstest.Access
	want                   awstest.Decision
}

// policyTable is what policies say of accesses. Source: IAM's user guide, "Policy
// evaluation logic" and "Condition operators".
func policyTable() []decided {
	statement := func(body string) string { return `{"Version": "2012-10-17", "Statement": [` + body + `]}` }
	allow := func(action, resource, condition string) string {
		s := `{"Effect": "Allow", "Action": "` + action + `", "Resource": "` + resource + `"`
		if condition != "" {
			s += `, "Condition": ` + condition
		}
		return s + "}"
	}
	publish := awstest.Access{Action: "sns:Publish", Resource: topic}
	with := func(key string, values ...string) awstest.Access {
		return awstest.Access{Action: "sns:Publish", Resource: topic, Keys: map[string][]string{key: values}}
	}
	return []decided{
		{"nothing allows", statement(allow("sns:Subscribe", "*", "")), "", publish, awstest.NotAllowed},
		{"exact", statement(allow("sns:Publish", topic, "")), "", publish, awstest.Allowed},
		{"case of actions", statement(allow("SNS:publish", topic, "")), "", publish, awstest.Allowed},
		{"wildcard action", statement(allow("sns:*", topic, "")), "", publish, awstest.Allowed},
		{"question mark", statement(allow("sns:Publis?", topic, "")), "", publish, awstest.Allowed},
		{"another account", statement(allow("sns:Publish", other, "")), "", publish, awstest.NotAllowed},
		{"wildcard resource", statement(allow("sns:Publish", "arn:aws:sns:*:*:rel*", "")), "", publish, awstest.Allowed},
		{"wildcard over a colon", statement(allow("sns:Publish", "arn:aws:sns:*:releases", "")), "", publish, awstest.NotAllowed},
		{"an action without a resource", statement(allow("ecr:GetAuthorizationToken", "arn:aws:ecr:*:*:repository/x", "")), "", awstest.Access{Action: "ecr:GetAuthorizationToken", Resource: "*"}, awstest.NotAllowed},
		{"deny wins", statement(allow("sns:*", "*", "") + `, {"Effect": "Deny", "Action": "sns:Publish", "Resource": "*"}`), "", publish, awstest.Refused},
		{"deny of something else", statement(allow("sns:*", "*", "") + `, {"Effect": "Deny", "Action": "sns:DeleteTopic", "Resource": "*"}`), "", publish, awstest.Allowed},
		{"boundary allows", statement(allow("sns:*", "*", "")), statement(allow("sns:Publish", "*", "")), publish, awstest.Allowed},
		{"boundary does not", statement(allow("sns:*", "*", "")), statement(allow("ecr:*", "*", "")), publish, awstest.NotAllowed},
		{"boundary alone allows nothing", statement(allow("ecr:*", "*", "")), statement(allow("sns:*", "*", "")), publish, awstest.NotAllowed},
		{"StringEquals", statement(allow("sns:*", "*", `{"StringEquals": {"aws:k": ["a", "b"]}}`)), "", with("aws:k", "b"), awstest.Allowed},
		{"StringEquals of another", statement(allow("sns:*", "*", `{"StringEquals": {"aws:k": "a"}}`)), "", with("aws:k", "b"), awstest.NotAllowed},
		{"StringEquals of an absent key", statement(allow("sns:*", "*", `{"StringEquals": {"aws:k": "a"}}`)), "", publish, awstest.NotAllowed},
		{"StringEqualsIfExists", statement(allow("sns:*", "*", `{"StringEqualsIfExists": {"aws:k": "a"}}`)), "", publish, awstest.Allowed},
		{"case of keys", statement(allow("sns:*", "*", `{"StringEquals": {"AWS:K": "a"}}`)), "", with("aws:k", "a"), awstest.Allowed},
		{"case of values", statement(allow("sns:*", "*", `{"StringEquals": {"aws:k": "A"}}`)), "", with("aws:k", "a"), awstest.NotAllowed},
		{"StringLike", statement(allow("sns:*", "*", `{"StringLike": {"aws:k": "repo:o/r:*"}}`)), "", with("aws:k", "repo:o/r:ref:refs/heads/main"), awstest.Allowed},
		{"an escaped star", statement(allow("sns:*", "*", `{"StringLike": {"aws:k": "a${*}b*"}}`)), "", with("aws:k", "a*bc"), awstest.Allowed},
		{"an escaped star is no other character", statement(allow("sns:*", "*", `{"StringLike": {"aws:k": "a${*}b*"}}`)), "", with("aws:k", "axbc"), awstest.NotAllowed},
		{"an escaped dollar", statement(allow("sns:*", "*", `{"StringEquals": {"aws:k": "a${$}{b}"}}`)), "", with("aws:k", "a${b}"), awstest.Allowed},
		{"StringNotEquals", statement(allow("sns:*", "*", `{"StringNotEquals": {"aws:k": "Approved"}}`)), "", with("aws:k", "Rejected"), awstest.Allowed},
		{"StringNotEquals of it", statement(allow("sns:*", "*", `{"StringNotEquals": {"aws:k": "Approved"}}`)), "", with("aws:k", "Approved"), awstest.NotAllowed},
		{"two operators", statement(allow("sns:*", "*", `{"StringEquals": {"aws:k": "a"}, "StringLike": {"aws:m": "x*"}}`)), "", with("aws:k", "a"), awstest.NotAllowed},
		{"ArnLike", statement(allow("sns:*", "*", `{"ArnLike": {"aws:k": "arn:aws:sns:*:111122223333:*"}}`)), "", with("aws:k", topic), awstest.Allowed},
		{"ForAllValues", statement(allow("sns:*", "*", `{"ForAllValues:StringEquals": {"aws:k": ["a", "b"]}}`)), "", with("aws:k", "a", "b"), awstest.Allowed},
		{"ForAllValues of one more", statement(allow("sns:*", "*", `{"ForAllValues:StringEquals": {"aws:k": ["a", "b"]}}`)), "", with("aws:k", "a", "c"), awstest.NotAllowed},
		{"ForAllValues of an absent key", statement(allow("sns:*", "*", `{"ForAllValues:StringEquals": {"aws:k": "a"}}`)), "", publish, awstest.Allowed},
		{"ForAnyValue", statement(allow("sns:*", "*", `{"ForAnyValue:StringEquals": {"aws:k": "a"}}`)), "", with("aws:k", "c", "a"), awstest.Allowed},
		{"ForAnyValue of an absent key", statement(allow("sns:*", "*", `{"ForAnyValue:StringEquals": {"aws:k": "a"}}`)), "", publish, awstest.NotAllowed},
		{"Null", statement(allow("sns:*", "*", `{"Null": {"aws:k": "false"}}`)), "", with("aws:k", "a"), awstest.Allowed},
		{"Null of an absent key", statement(allow("sns:*", "*", `{"Null": {"aws:k": "false"}}`)), "", publish, awstest.NotAllowed},
		{"NumericLessThanEquals", statement(allow("sns:*", "*", `{"NumericLessThanEquals": {"aws:k": 3600}}`)), "", with("aws:k", "900"), awstest.Allowed},
		{"NumericLessThanEquals of more", statement(allow("sns:*", "*", `{"NumericLessThanEquals": {"aws:k": 3600}}`)), "", with("aws:k", "36000"), awstest.NotAllowed},
		{"Bool", statement(allow("sns:*", "*", `{"Bool": {"aws:SecureTransport": true}}`)), "", with("aws:SecureTransport", "true"), awstest.Allowed},
	}
}

func TestPolicy_Table(t *testing.T) {
	for _, tt := range policyTable() {
		t.Run(tt.name, func(t *testing.T) {
			p, err := awstest.ParsePolicy(tt.policy)
			if err != nil {
				t.Fatal(err)
			}
			var boundary *awstest.Policy
			if tt.boundary != "" {
				b, err := awstest.ParsePolicy(tt.boundary)
				if err != nil {
					t.Fatal(err)
				}
				boundary = &b
			}
			if got := awstest.Decide([]awstest.Policy{p}, boundary, tt.access); got != tt.want {
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
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b/${aws:username}/*"}]}`,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Maybe", "Action": "sns:*", "Resource": "*"}]}`,
		`{"Version": "2008-10-17", "Statement": []}`,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sns:*"}]}`,
	} {
		if p, err := awstest.ParsePolicy(text); err == nil {
			t.Errorf("%s is %+v", text, p)
		}
	}
}
