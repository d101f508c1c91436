package extension

import (
	"net/url"
	"strings"

	"github.com/slipway-cd/slipway/internal/account"
)

// AWSPlace is what a part of a project knows of the rest when it says what it needs in
// AWS. Account and region are always set.
type AWSPlace struct {
	AWS
	Service     string
	Environment string // empty: of the project, whichever environment
	Group       string // of the model
	Approves    bool   // a run approves models itself; otherwise people do
	Trains      bool   // a runner trains
	Evaluates   bool   // a runner evaluates
}

// Partition is that of the place's ARNs.
func (p AWSPlace) Partition() string { return PartitionOf(p.Region) }

// PartitionOf returns the first part of ARNs in a region.
func PartitionOf(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// ARN names a resource of a service in the place.
func (p AWSPlace) ARN(service, resource string) string {
	return strings.Join([]string{"arn", p.Partition(), service, p.Region, p.Account, resource}, ":")
}

// BucketARN names a bucket, or objects in it.
func (p AWSPlace) BucketARN(path string) string { return "arn:" + p.Partition() + ":s3:::" + path }

// AWSRights is what a part of a project calls in AWS.
type AWSRights struct {
	Role       string              // ARN of the role by which it calls; empty: the credentials as they are
	Statements []account.Statement // what is called; each says by which steps, and why
	Resources  []account.Resource  // what has to be there
	Passes     []PassedRole        // roles that it gives to services of AWS
}

// PassedRole is a role with which a service of AWS works for the project.
type PassedRole struct {
	ARN        string
	Service    string // that assumes it: "sagemaker.amazonaws.com"
	Why        string // a clause
	Statements []account.Statement
}

// RightsUser is the section of an extension that calls AWS.
type RightsUser interface {
	// AWSRights returns exactly what the section makes Slipway call, at that place. It asks
	// nothing.
	AWSRights(p AWSPlace) AWSRights
}

// ClusterUser is the section of a target that is a namespace in a cluster of AWS.
type ClusterUser interface {
	EKSPlace() (cluster, namespace string)
}

// ApprovalUser is the section of a model registry in which people may approve.
type ApprovalUser interface {
	ApproverRights(p AWSPlace) []account.Statement
}

// AWSParts say what is called for the parts of slipway.yaml that are no extension's
// section. One that is nil calls nothing.
type AWSParts struct {
	Push     func(p AWSPlace, repository string, creates bool) []account.Statement // to a repository of ECR, by its name there
	Pull     func(p AWSPlace, repository string) []account.Statement               // what asks for images, and whether a rollback finds them
	Alarms   func(p AWSPlace, makes bool) []account.Statement                      // makes: some are Slipway's own
	Metrics  func(p AWSPlace, namespace string) []account.Statement
	Logs     func(p AWSPlace, group string) []account.Statement
	Datasets func(p AWSPlace, uris []string) []account.Statement
	// PodsModel is what the service's own pods call when they load the model themselves.
	PodsModel func(p AWSPlace, registry any) []account.Statement
}

// StateRights is what a store of the shared state calls.
type StateRights func(p AWSPlace, u *url.URL) []account.Statement
