package awstest_test

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

// What a person does in the console is done by that person, and by AWS's rules.
func TestConsole(t *testing.T) {
	cloud, err := awstest.New(awstest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	server, err := cloud.Serve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	ben, err := server.Console(cloud, "ben")
	if err != nil {
		t.Fatal(err)
	}
	if err := ben.Register("absent", "s3://models/a/model.tar.gz"); err == nil {
		t.Error("a version of no group was registered")
	}
	cloud.AddModelPackageGroup(group)
	if err := ben.Register(group, "s3://models/a/model.tar.gz"); err != nil {
		t.Fatal(err)
	}
	if err := ben.Decide(group, 1, "Rejected", "biased"); err != nil {
		t.Fatal(err)
	}
	versions := cloud.ModelPackages(group)
	if len(versions) != 1 || versions[0].Approval() != "Rejected" || versions[0].Fields["ApprovalDescription"] != "biased" || versions[0].DecidedBy() != ben.Who.ARN {
		t.Errorf("%+v", versions)
	}
	if err := cloud.Invalid(); err != nil {
		t.Error(err)
	}
}
