// Package terraform writes what a project needs in an account of AWS for Terraform and
// OpenTofu. It is pure.
package terraform

import (
	"strings"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/account/export"
)

// Command is what writes the files.
const Command = "slipway export terraform"

const header = "# Written by `" + Command + "` for %SERVICE%. Write it again after a change of slipway.yaml:\n# `slipway aws export terraform --check` compares.\n"

// Export returns the files of a set. A kind of resource without a form is fault.Internal.
func Export(s account.Set) ([]export.File, error) {
	e := exporter{set: s, names: export.Names(s, func(_ account.Kind, words []string) string { return identifier(words) })}
	var blocks []block
	for i, r := range s.Resources {
		made, err := e.blocks(i, r)
		if err != nil {
			return nil, err
		}
		blocks = append(blocks, made...)
	}
	head := strings.ReplaceAll(header, "%SERVICE%", s.Project)
	files := []export.File{{Name: "providers.tf", Text: file(head, e.providers())}, {Name: "main.tf", Text: file(head, blocks)}}
	if cluster, ok := export.Cluster(s, Command); ok {
		files = append(files, cluster)
	}
	return files, nil
}

// identifier is a name of HCL, which begins with a letter.
func identifier(words []string) string {
	name := strings.ToLower(strings.Join(words, "_"))
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		return "r_" + name
	}
	return name
}

// exporter writes the blocks of a set.
type exporter struct {
	set   account.Set
	names []string // of resources, by their index
}

// providerVersion is what the arguments are those of; see the package's schema.
const providerVersion = "~> 6.0"

func (e exporter) providers() []block {
	provider := []item{arg("region", e.set.Region)}
	if e.set.Account != "" {
		provider = append(provider, arg("allowed_account_ids", []any{e.set.Account}))
	}
	return []block{
		{kind: "terraform", body: []item{
			arg("required_version", ">= 1.6"),
			nested("required_providers", arg("aws", export.Object{{Key: "source", Value: "hashicorp/aws"}, {Key: "version", Value: providerVersion}})),
		}},
		{kind: "provider", labels: []string{"aws"}, body: provider},
	}
}

// blocks are those of a resource. What others may use too is looked up, not made.
func (e exporter) blocks(i int, r account.Resource) ([]block, error) {
	if r.Shared {
		return e.lookup(i, r), nil
	}
	var made []block
	switch spec := r.Spec.(type) {
	case account.Bucket:
		made = e.bucket(i, r, spec)
	case account.Provider:
		made = []block{e.resource("aws_iam_openid_connect_provider", i, arg("url", "https://"+spec.URL), arg("client_id_list", export.Plain(spec.Audiences)))}
	case account.Policy:
		made = []block{e.resource("aws_iam_policy", i, arg("name", r.Name), arg("path", export.Path(r)), arg("description", spec.Description), arg("policy", e.policy(i, spec.Document)))}
	case account.Role:
		made = e.role(i, r, spec)
	case account.Repository:
		made = e.repository(i, r, spec)
	case account.ModelGroup:
		made = []block{e.resource("aws_sagemaker_model_package_group", i, arg("model_package_group_name", r.Name), arg("model_package_group_description", spec.Description))}
	case account.LogGroup:
		made = []block{e.resource("aws_cloudwatch_log_group", i, arg("name", r.Name), arg("retention_in_days", spec.RetentionDays))}
	case account.Topic:
		made = []block{e.resource("aws_sns_topic", i, arg("name", r.Name))}
	case account.PodIdentity:
		made = []block{e.resource("aws_eks_pod_identity_association", i, arg("cluster_name", spec.Cluster), arg("namespace", spec.Namespace), arg("service_account", spec.ServiceAccount), arg("role_arn", e.refer(i, spec.Role)))}
	case account.AccessEntry:
		made = []block{e.resource("aws_eks_access_entry", i, arg("cluster_name", spec.Cluster), arg("principal_arn", e.refer(i, spec.Principal)), arg("kubernetes_groups", export.Plain(spec.Groups)))}
	case account.NamespaceRights: // in the file for the cluster
	default:
		return nil, export.Unknown("Terraform", r)
	}
	if len(made) > 0 {
		made[0].comment = r.Why
	}
	return made, nil
}

// resource is a block with the tags of the set's resource at i. What holds data can't be
// destroyed without taking that out of the file.
func (e exporter) resource(kind string, i int, body ...item) block {
	r := e.set.Resources[i]
	body = append(body, arg("tags", export.Tags(e.set, r)))
	if r.Data {
		body = append(body, nested("lifecycle", arg("prevent_destroy", true)))
	}
	return e.part(kind, i, withoutEmpty(body)...)
}

// part is a block that belongs to the set's resource at i, and has no tags.
func (e exporter) part(kind string, i int, body ...item) block {
	return block{kind: "resource", labels: []string{kind, e.names[i]}, body: body}
}

// withoutEmpty leaves out what is the provider's default.
func withoutEmpty(body []item) (kept []item) {
	for _, it := range body {
		if it.value != "" {
			kept = append(kept, it)
		}
	}
	return kept
}

// types are Terraform's resources by kind, as far as others refer to them.
func typeOf(k account.Kind) string {
	return map[account.Kind]string{
		account.KindBucket: "aws_s3_bucket", account.KindProvider: "aws_iam_openid_connect_provider",
		account.KindPolicy: "aws_iam_policy", account.KindRole: "aws_iam_role", account.KindRepository: "aws_ecr_repository",
		account.KindModelGroup: "aws_sagemaker_model_package_group", account.KindLogGroup: "aws_cloudwatch_log_group", account.KindTopic: "aws_sns_topic",
	}[k]
}

// lookup is the data source of a resource that others may use too. Where the provider has
// none, the resource has to be there, and nothing is written.
func (e exporter) lookup(i int, r account.Resource) []block {
	key, name := map[account.Kind]string{account.KindBucket: "bucket", account.KindProvider: "url"}[r.Kind], r.Name
	switch spec := r.Spec.(type) {
	case account.Provider:
		name = "https://" + spec.URL
	case account.ModelGroup, account.PodIdentity, account.AccessEntry, account.NamespaceRights:
		return nil
	}
	if key == "" {
		key = "name"
	}
	return []block{{kind: "data", labels: []string{typeOf(r.Kind), e.names[i]}, body: []item{arg(key, name)}, comment: r.Why + "; others may use it too"}}
}

// refer returns an expression for a text that begins with the ARN of what comes before i
// in the set, or else the text.
func (e exporter) refer(i int, text string) any {
	ref, ok := export.Refer(e.set, i, text)
	if !ok {
		return text
	}
	r := e.set.Resources[ref.Index]
	if typeOf(r.Kind) == "" || r.Shared && r.Kind == account.KindModelGroup {
		return text
	}
	of := e.address(ref.Index) + ".arn"
	if ref.Rest == "" {
		return of
	}
	return template{of, ref.Rest}
}

// address is that of the resource at i.
func (e exporter) address(i int) expression {
	r := e.set.Resources[i]
	address := expression(typeOf(r.Kind) + "." + e.names[i])
	if r.Shared {
		return "data." + address
	}
	return address
}

func (e exporter) policy(i int, d account.Document) call {
	return call{"jsonencode", export.Policy(d, func(arn string) any { return e.refer(i, arn) })}
}
