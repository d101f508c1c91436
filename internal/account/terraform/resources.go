package terraform

import (
	"maps"
	"slices"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/account/export"
)

// bucket is encrypted, closed to the public, and takes requests by TLS only.
func (e exporter) bucket(i int, r account.Resource, spec account.Bucket) []block {
	of := arg("bucket", e.address(i)+".id")
	versioning := "Suspended"
	if spec.Versioned {
		versioning = "Enabled"
	}
	made := []block{
		e.resource("aws_s3_bucket", i, arg("bucket", r.Name)),
		e.part("aws_s3_bucket_server_side_encryption_configuration", i, of,
			nested("rule", nested("apply_server_side_encryption_by_default", arg("sse_algorithm", "AES256")))),
		e.part("aws_s3_bucket_versioning", i, of, nested("versioning_configuration", arg("status", versioning))),
		e.part("aws_s3_bucket_public_access_block", i, of,
			arg("block_public_acls", true), arg("block_public_policy", true), arg("ignore_public_acls", true), arg("restrict_public_buckets", true)),
		e.part("aws_s3_bucket_policy", i, of, arg("policy", e.policy(i+1, account.Document{Statements: []account.Statement{account.TLSOnly(r.ARN)}}))),
	}
	if len(spec.Expire) == 0 {
		return made
	}
	rules := []item{of}
	for _, prefix := range slices.Sorted(maps.Keys(spec.Expire)) {
		rules = append(rules, nested("rule", arg("id", "expire "+prefix), arg("status", "Enabled"),
			nested("filter", arg("prefix", prefix)), nested("expiration", arg("days", spec.Expire[prefix]))))
	}
	return append(made, e.part("aws_s3_bucket_lifecycle_configuration", i, rules...))
}

func (e exporter) role(i int, r account.Resource, spec account.Role) []block {
	body := []item{
		arg("name", r.Name), arg("path", export.Path(r)), arg("description", spec.Description),
	}
	if spec.MaxSession > 0 {
		body = append(body, arg("max_session_duration", int(spec.MaxSession.Seconds())))
	}
	if spec.Boundary != "" {
		body = append(body, arg("permissions_boundary", e.refer(i, spec.Boundary)))
	}
	made := []block{e.resource("aws_iam_role", i, append(body, arg("assume_role_policy", e.policy(i, spec.Trust)))...)}
	if len(spec.Rights.Statements) == 0 {
		return made
	}
	return append(made, e.part("aws_iam_role_policy", i, arg("name", account.InlinePolicy), arg("role", e.address(i)+".name"), arg("policy", e.policy(i, spec.Rights))))
}

func (e exporter) repository(i int, r account.Resource, spec account.Repository) []block {
	mutability := "MUTABLE"
	if spec.Immutable {
		mutability = "IMMUTABLE"
	}
	made := []block{e.resource("aws_ecr_repository", i, arg("name", r.Name), arg("image_tag_mutability", mutability),
		nested("image_scanning_configuration", arg("scan_on_push", spec.ScanOnPush)))}
	if spec.UntaggedDays == 0 {
		return made
	}
	return append(made, e.part("aws_ecr_lifecycle_policy", i, arg("repository", e.address(i)+".name"), arg("policy", call{"jsonencode", export.Lifecycle(spec.UntaggedDays)})))
}
