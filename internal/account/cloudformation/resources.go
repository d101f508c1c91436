package cloudformation

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/account/export"
)

// resources are those of the set's resource at i.
func (e exporter) resources(i int, r account.Resource) (export.Object, error) {
	one := func(kind string, properties ...export.Field) (export.Object, error) {
		return export.Object{e.resource(kind, i, properties...)}, nil
	}
	switch spec := r.Spec.(type) {
	case account.Bucket:
		return e.bucket(i, r, spec), nil
	case account.Provider:
		return one("AWS::IAM::OIDCProvider", field("Url", "https://"+spec.URL), field("ClientIdList", export.Plain(spec.Audiences)))
	case account.Policy: // it takes no tags
		return export.Object{e.part("AWS::IAM::ManagedPolicy", e.names[i], i,
			field("ManagedPolicyName", r.Name), field("Path", export.Path(r)), field("Description", spec.Description), field("PolicyDocument", e.policy(i, spec.Document)))}, nil
	case account.Role:
		return export.Object{e.role(i, r, spec)}, nil
	case account.Repository:
		return e.repository(i, r, spec)
	case account.ModelGroup:
		return one("AWS::SageMaker::ModelPackageGroup", field("ModelPackageGroupName", r.Name), field("ModelPackageGroupDescription", spec.Description))
	case account.LogGroup:
		return one("AWS::Logs::LogGroup", field("LogGroupName", r.Name), field("RetentionInDays", spec.RetentionDays))
	case account.Topic:
		return one("AWS::SNS::Topic", field("TopicName", r.Name))
	case account.PodIdentity:
		return one("AWS::EKS::PodIdentityAssociation", field("ClusterName", spec.Cluster), field("Namespace", spec.Namespace),
			field("ServiceAccount", spec.ServiceAccount), field("RoleArn", e.refer(i, spec.Role)))
	case account.AccessEntry:
		return one("AWS::EKS::AccessEntry", field("ClusterName", spec.Cluster), field("PrincipalArn", e.refer(i, spec.Principal)), field("KubernetesGroups", export.Plain(spec.Groups)))
	case account.NamespaceRights: // in the file for the cluster
		return nil, nil
	}
	return nil, export.Unknown("CloudFormation", r)
}

// bucket is encrypted, closed to the public, and takes requests by TLS only.
func (e exporter) bucket(i int, r account.Resource, spec account.Bucket) export.Object {
	versioning := "Suspended"
	if spec.Versioned {
		versioning = "Enabled"
	}
	properties := []export.Field{
		field("BucketName", r.Name),
		field("BucketEncryption", export.Object{field("ServerSideEncryptionConfiguration", []any{
			export.Object{field("ServerSideEncryptionByDefault", export.Object{field("SSEAlgorithm", "AES256")})},
		})}),
		field("VersioningConfiguration", export.Object{field("Status", versioning)}),
		field("PublicAccessBlockConfiguration", export.Object{
			field("BlockPublicAcls", true), field("BlockPublicPolicy", true), field("IgnorePublicAcls", true), field("RestrictPublicBuckets", true),
		}),
	}
	var rules []any
	for _, prefix := range slices.Sorted(maps.Keys(spec.Expire)) {
		rules = append(rules, export.Object{field("Id", "expire "+prefix), field("Status", "Enabled"), field("Prefix", prefix), field("ExpirationInDays", spec.Expire[prefix])})
	}
	if len(rules) > 0 {
		properties = append(properties, field("LifecycleConfiguration", export.Object{field("Rules", rules)}))
	}
	return export.Object{
		e.resource("AWS::S3::Bucket", i, properties...),
		e.part("AWS::S3::BucketPolicy", e.names[i]+"TLSOnly", i, field("Bucket", export.Object{field("Ref", e.names[i])}), field("PolicyDocument", e.policy(i+1, account.Document{Statements: []account.Statement{account.TLSOnly(r.ARN)}}))),
	}
}

func (e exporter) role(i int, r account.Resource, spec account.Role) export.Field {
	properties := []export.Field{
		field("RoleName", r.Name), field("Path", export.Path(r)), field("Description", spec.Description),
		field("AssumeRolePolicyDocument", e.policy(i, spec.Trust)),
	}
	if spec.MaxSession > 0 {
		properties = append(properties, field("MaxSessionDuration", int(spec.MaxSession.Seconds())))
	}
	if spec.Boundary != "" {
		properties = append(properties, field("PermissionsBoundary", e.refer(i, spec.Boundary)))
	}
	if len(spec.Rights.Statements) > 0 {
		properties = append(properties, field("Policies", []any{export.Object{field("PolicyName", account.InlinePolicy), field("PolicyDocument", e.policy(i, spec.Rights))}}))
	}
	return e.resource("AWS::IAM::Role", i, properties...)
}

func (e exporter) repository(i int, r account.Resource, spec account.Repository) (export.Object, error) {
	mutability := "MUTABLE"
	if spec.Immutable {
		mutability = "IMMUTABLE"
	}
	properties := []export.Field{
		field("RepositoryName", r.Name), field("ImageTagMutability", mutability),
		field("ImageScanningConfiguration", export.Object{field("ScanOnPush", spec.ScanOnPush)}),
	}
	if spec.UntaggedDays > 0 {
		text, err := json.Marshal(export.Lifecycle(spec.UntaggedDays))
		if err != nil {
			return nil, err
		}
		properties = append(properties, field("LifecyclePolicy", export.Object{field("LifecyclePolicyText", string(text))}))
	}
	return export.Object{e.resource("AWS::ECR::Repository", i, properties...)}, nil
}
