package registry

import (
	"strings"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/adapter/aws/s3"
	"github.com/slipway-cd/slipway/internal/extension"
)

var _ extension.RightsUser = (*Section)(nil)

const statusKey = "sagemaker:ModelApprovalStatus"

// AWSRights implements extension.RightsUser.
func (s *Section) AWSRights(p extension.AWSPlace) extension.AWSRights {
	bucket, prefix := s.place()
	group := p.ARN("sagemaker", "model-package-group/"+strings.ToLower(p.Group))
	r := extension.AWSRights{Role: s.RoleName, Statements: []account.Statement{
		findModels(p, group),
		listModels("register, plan"),
		readModels(p),
		{
			Sid: "RegisterModels", Actions: []string{"sagemaker:CreateModelPackage"}, Resources: []string{packages(p)},
			Conditions: account.Conditions{"StringEquals": {statusKey: {"PendingManualApproval"}}},
			Needs:      []account.Need{{Step: "register", Call: "sagemaker:CreateModelPackage", Why: "to register what was trained, as not approved yet"}},
		},
		decideOnModels(p),
	}}
	r.Statements = append(r.Statements, s3.StoreRights(p, "Models", bucket, prefix, "register", "metrics, lineage and the archive of a model")...)
	r.Resources = []account.Resource{
		{Kind: account.KindBucket, Name: bucket, ARN: p.BucketARN(bucket), Data: true, Why: "metrics and archives of models", Spec: account.Bucket{Versioned: true}},
		{
			Kind: account.KindModelGroup, Name: p.Group, ARN: group, Data: true, Why: "versions of the model",
			Spec: account.ModelGroup{Description: "Models that Slipway registers and deploys."},
		},
	}
	return r
}

// place is the bucket and the prefix of storage, without a slash at its end.
func (s *Section) place() (bucket, prefix string) {
	bucket, prefix, _ = strings.Cut(strings.TrimPrefix(s.Storage, "s3://"), "/")
	return bucket, strings.Trim(prefix, "/")
}

func packages(p extension.AWSPlace) string {
	return p.ARN("sagemaker", "model-package/"+strings.ToLower(p.Group)+"/*")
}

func findModels(_ extension.AWSPlace, group string) account.Statement {
	return account.Statement{
		Sid: "FindTheModel", Actions: []string{"sagemaker:DescribeModelPackageGroup"}, Resources: []string{group},
		Needs: []account.Need{{Step: "register, plan", Call: "sagemaker:DescribeModelPackageGroup", Why: "to find the model's group"}},
	}
}

func listModels(step string) account.Statement {
	return account.Statement{
		Sid: "ListModels", Actions: []string{"sagemaker:ListModelPackages"}, Resources: []string{"*"},
		Needs: []account.Need{{Step: step, Call: "sagemaker:ListModelPackages", Why: "to find the newest versions; AWS has no resource for it"}},
	}
}

func readModels(p extension.AWSPlace) account.Statement {
	return account.Statement{
		Sid: "ReadModels", Actions: []string{"sagemaker:DescribeModelPackage"}, Resources: []string{packages(p)},
		Needs: []account.Need{{Step: "register, approve, deploy, watch", Call: "sagemaker:DescribeModelPackage", Why: "to read versions and their decisions"}},
	}
}

// decideOnModels: where people approve, a run may only reject. What it writes without a
// decision has no status.
func decideOnModels(p extension.AWSPlace) account.Statement {
	st := account.Statement{
		Sid: "DecideOnModels", Actions: []string{"sagemaker:UpdateModelPackage"}, Resources: []string{packages(p)},
		Needs: []account.Need{{Step: "approve, deploy, rollback", Call: "sagemaker:UpdateModelPackage", Why: "to approve what passed its gates, to show where it is deployed, and to reject what failed there"}},
	}
	if !p.Approves {
		st.Conditions = account.Conditions{"StringEqualsIfExists": {statusKey: {"Rejected"}}}
		st.Needs[0].Why = "to show where a version is deployed, and to reject what failed there; people approve, by the approver's policy"
	}
	return st
}

// ApproverRights are what a person needs who decides on versions, in the console or with
// slipway approve.
func (s *Section) ApproverRights(p extension.AWSPlace) []account.Statement {
	const step = "a person who approves"
	decide := account.Statement{
		Sid: "ApproveModels", Actions: []string{"sagemaker:UpdateModelPackage"}, Resources: []string{packages(p)},
		Conditions: account.Conditions{"StringEquals": {statusKey: {"Approved", "Rejected"}}},
		Needs:      []account.Need{{Step: step, Call: "sagemaker:UpdateModelPackage", Why: "to decide, and to change nothing else of a version"}},
	}
	all := []account.Statement{decide, findModels(p, p.ARN("sagemaker", "model-package-group/"+strings.ToLower(p.Group))), listModels(step), readModels(p)}
	for i := range all {
		all[i].Needs[0].Step = step
	}
	return all
}

// PodsRights are what the service's own pods call when they load the model themselves.
func PodsRights(p extension.AWSPlace, registry any) []account.Statement {
	s, ok := registry.(*Section)
	if !ok {
		return nil
	}
	bucket, prefix := s.place()
	const step = "the service's pods"
	return []account.Statement{
		{
			Sid: "LoadTheModel", Actions: []string{"s3:GetObject", "s3:GetObjectVersion"}, Resources: []string{p.BucketARN(strings.TrimSuffix(bucket+"/"+prefix, "/") + "/*")},
			Needs: []account.Need{
				{Step: step, Call: "s3:GetObject", Why: "to load MODEL_DATA_URL"},
				{Step: step, Call: "s3:GetObjectVersion", Why: "to load the version that the release pins"},
			},
		},
		{
			Sid: "LookAtTheModel", Actions: []string{"sagemaker:DescribeModelPackage"}, Resources: []string{packages(p)},
			Needs: []account.Need{{Step: step, Call: "sagemaker:DescribeModelPackage", Why: "to look at MODEL_PACKAGE_ARN"}},
		},
	}
}
