package cloudformation_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/account/export/exporttest"
)

// lint runs cfn-lint on a template, and returns what it says.
func lint(t *testing.T, program, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "slipway.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), program, "--regions", "ap-southeast-1", "--format", "parseable", "--", name).CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out)
}

// TestIAC_CloudFormation: cfn-lint has nothing to say of the template, and finds mistakes
// that are planted in it.
func TestIAC_CloudFormation(t *testing.T) {
	program := os.Getenv("SLIPWAY_CFN_LINT")
	if program == "" {
		t.Skip("SLIPWAY_CFN_LINT does not name cfn-lint: make iac")
	}
	good := exported(t, exporttest.Retail())[0].Text
	if got := lint(t, program, good); got != "" {
		t.Errorf("cfn-lint says of the template:\n%s", got)
	}
	for _, c := range []struct{ name, old, planted, want string }{
		{"property", "PublicAccessBlockConfiguration:", "PublicAccesBlockConfiguration:", "PublicAccesBlockConfiguration"},
		{"value", "ImageTagMutability: IMMUTABLE", "ImageTagMutability: IMMUTABEL", "IMMUTABEL"},
		{"reference", "[RoleRetailTraining, Arn]", "[RoleRetailTrainig, Arn]", "RoleRetailTrainig"},
		{"effect", "Effect: Deny", "Effect: Dany", "Dany"},
		{"retention", "RetentionInDays: 90", "RetentionInDays: 91", "91"},
		{"required", "      RoleArn:\n        Fn::GetAtt: [RoleRetailTraining, Arn]\n", "", "RoleArn"},
		{"type", "AWS::SNS::Topic", "AWS::SNS::Topics", "AWS::SNS::Topics"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(good, c.old, c.planted, 1)
			if text == good {
				t.Fatalf("nothing to plant it in: %s", c.old)
			}
			if got := lint(t, program, text); !strings.Contains(got, c.want) {
				t.Errorf("cfn-lint does not find it:\n%s", got)
			}
		})
	}
}
