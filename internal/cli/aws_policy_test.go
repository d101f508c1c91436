package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// awsExample is a program in a folder with the example for AWS, of a repository of GitHub.
func awsExample(t *testing.T) *program {
	t.Helper()
	p := newProgram(t)
	text, err := os.ReadFile("../../examples/retail-aws/slipway.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const where = "region: ap-southeast-1}"
	file := strings.Replace(string(text), where, `region: ap-southeast-1, github: {repository: acme/retail, id: "4242", owner_id: "77"}}`, 1)
	if err := os.WriteFile(filepath.Join(p.dir, "slipway.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestAWSPolicy: one document is printed as IAM takes it, several by their names, and the
// explanation says who needs each statement.
func TestAWSPolicy(t *testing.T) {
	p := awsExample(t)
	var one struct{ Statement []struct{ Sid string } }
	got := p.run("aws", "policy", "--env", "prod", "--role", "retail-deploy-prod")
	if err := json.Unmarshal([]byte(got.stdout), &one); err != nil || got.code != 0 || len(one.Statement) != 4 || one.Statement[0].Sid != "FindTheCluster" {
		t.Errorf("exit code %d, %v: %s%s", got.code, err, got.stdout, got.stderr)
	}
	var several map[string]json.RawMessage
	got = p.run("aws", "policy")
	if err := json.Unmarshal([]byte(got.stdout), &several); err != nil || len(several) != 8 {
		t.Errorf("%d policies, %v", len(several), err)
	}
	for role, want := range map[string]string{"approver": "sagemaker:ModelApprovalStatus", "reader": "eks:DescribeCluster", "execution": "PullItsImage", "boundary": "PassRoles"} {
		if got := p.run("aws", "policy", "--role", role); got.code != 0 || !strings.Contains(got.stdout, want) {
			t.Errorf("%s: exit code %d: %s%s", role, got.code, got.stdout, got.stderr)
		}
	}
	got = p.run("aws", "policy", "--role", "retail-ci", "--explain")
	for _, want := range []string{
		"retail-ci: what jobs may do in all environments", "token.actions.githubusercontent.com:ref is refs/heads/main",
		"needed by train, iam:PassRole: because the job works with this role", "if iam:PassedToService is sagemaker.amazonaws.com",
	} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("the explanation lacks %q:\n%s", want, got.stdout)
		}
	}
	if got := p.run("aws", "policy", "--role", "retail-cj"); got.code == 0 || !strings.Contains(got.stderr, "retail-ci") {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
}

// TestAWSPolicy_NoIdentity: without anybody to trust, the file lacks a line.
func TestAWSPolicy_NoIdentity(t *testing.T) {
	p := awsExample(t)
	file := filepath.Join(p.dir, "slipway.yaml")
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, []byte(strings.Replace(string(text), `, github: {repository: acme/retail, id: "4242", owner_id: "77"}`, "", 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := p.run("aws", "policy"); got.code != 2 || !strings.Contains(got.stderr, "gh api repos/OWNER/NAME") {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
}
