package awstest_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

// newCluster makes a cluster and a role.
func newCluster(t *testing.T, l *lab) (*eks.Client, *string, *string) {
	t.Helper()
	l.AddCluster(awstest.Cluster{
		Name: "mlops", Endpoint: "https://1.2.3.4", CA: []byte("pem"), AuthenticationMode: "API_AND_CONFIG_MAP", Issuer: "https://oidc.eks.ap-southeast-1.amazonaws.com/id/X",
		Addons:          map[string]string{"eks-pod-identity-agent": "v1.3.4-eksbuild.1", "metrics-server": "v0.8.0-eksbuild.1"},
		Nodegroups:      []awstest.Nodegroup{{Name: "default", AMIType: "AL2023_x86_64_STANDARD", Role: roleARN + "node", InstanceTypes: []string{"m6i.large"}}},
		FargateProfiles: []awstest.FargateProfile{{Name: "fp", Role: roleARN + "fargate", Namespaces: []string{"retail"}}},
	})
	l.must(t, "CreateRole", []string{"RoleName", "deploy", "Path", "/slipway/", "AssumeRolePolicyDocument", trustOfSageMaker})
	return eks.NewFromConfig(l.config), aws.String("mlops"), aws.String(roleARN + "slipway/deploy")
}

// TestEKS_AccessEntry: an entry maps a role to groups, some time after it was made, and
// not a role that was made again.
func TestEKS_AccessEntry(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	client, cluster, role := newCluster(t, l)
	l.DelayEntries(time.Minute)
	create := func(principal string, groups ...string) (*eks.CreateAccessEntryOutput, error) {
		return client.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{ClusterName: cluster, PrincipalArn: &principal, KubernetesGroups: groups, Tags: map[string]string{"slipway:project": "retail"}})
	}
	for code, err := range map[string]error{
		"InvalidParameterException": errors.Join(second(create(*role, "system:masters"))),
		"ResourceNotFoundException": second(client.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: cluster, PrincipalArn: role})),
	} {
		wantError(t, err, code)
	}
	wantError(t, second(create(roleARN+"absent")), "InvalidParameterException")
	made, err := create(*role, "slipway:retail:prod")
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, second(create(*role)), "ResourceInUseException")
	if e := made.AccessEntry; *e.Username != "arn:aws:sts::111122223333:assumed-role/deploy/{{SessionName}}" || e.Tags["slipway:project"] != "retail" || !e.CreatedAt.Equal(l.now.Truncate(time.Millisecond)) {
		t.Errorf("made %+v", e)
	}
	session := l.AddSession("deploy", "run", time.Hour)
	if _, err := l.ClusterGroups("mlops", session); err == nil {
		t.Error("the entry counts at once")
	}
	l.now = l.now.Add(time.Minute)
	groups, err := l.ClusterGroups("mlops", session)
	if err != nil || !slices.Equal(groups, []string{"slipway:retail:prod"}) {
		t.Errorf("groups %q, %v", groups, err)
	}
	_, err = client.UpdateAccessEntry(ctx, &eks.UpdateAccessEntryInput{ClusterName: cluster, PrincipalArn: role, KubernetesGroups: []string{"others"}})
	admin := aws.String("arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy")
	_, associated := client.AssociateAccessPolicy(ctx, &eks.AssociateAccessPolicyInput{ClusterName: cluster, PrincipalArn: role, PolicyArn: admin, AccessScope: &types.AccessScope{Type: types.AccessScopeTypeCluster}})
	policies, listed := client.ListAssociatedAccessPolicies(ctx, &eks.ListAssociatedAccessPoliciesInput{ClusterName: cluster, PrincipalArn: role})
	_, cut := client.DisassociateAccessPolicy(ctx, &eks.DisassociateAccessPolicyInput{ClusterName: cluster, PrincipalArn: role, PolicyArn: admin})
	entries, all := client.ListAccessEntries(ctx, &eks.ListAccessEntriesInput{ClusterName: cluster})
	if err := errors.Join(err, associated, listed, cut, all); err != nil || len(policies.AssociatedAccessPolicies) != 1 || !slices.Equal(entries.AccessEntries, []string{*role}) {
		t.Fatalf("%v, %+v, %+v", err, policies, entries)
	}
	l.must(t, "DeleteRole", []string{"RoleName", "deploy"})
	l.must(t, "CreateRole", []string{"RoleName", "deploy", "Path", "/slipway/", "AssumeRolePolicyDocument", trustOfSageMaker})
	if groups, err := l.ClusterGroups("mlops", l.AddSession("deploy", "run", time.Hour)); err == nil {
		t.Errorf("the entry of the role that was deleted gives %q", groups)
	}
	if _, err := client.DeleteAccessEntry(ctx, &eks.DeleteAccessEntryInput{ClusterName: cluster, PrincipalArn: role}); err != nil {
		t.Error(err)
	}
	l.AddCluster(awstest.Cluster{Name: "mlops", AuthenticationMode: "CONFIG_MAP"})
	wantError(t, second(create(*role)), "InvalidRequestException")
}

// TestEKS_PodIdentity: one association for each service account.
func TestEKS_PodIdentity(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	client, cluster, role := newCluster(t, l)
	in := &eks.CreatePodIdentityAssociationInput{ClusterName: cluster, Namespace: aws.String("retail"), ServiceAccount: aws.String("api"), RoleArn: aws.String(roleARN + "absent"), Tags: map[string]string{"a": "b"}}
	wantError(t, second(client.CreatePodIdentityAssociation(ctx, in)), "InvalidParameterException")
	in.RoleArn = role
	made, err := client.CreatePodIdentityAssociation(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, second(client.CreatePodIdentityAssociation(ctx, in)), "ResourceInUseException")
	id := made.Association.AssociationId
	listed, err := client.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{ClusterName: cluster, Namespace: aws.String("retail")})
	if err != nil || len(listed.Associations) != 1 || *listed.Associations[0].AssociationId != *id {
		t.Errorf("%+v, %v", listed, err)
	}
	if none, err := client.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{ClusterName: cluster, ServiceAccount: aws.String("other")}); err != nil || len(none.Associations) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
	_, tagged := client.TagResource(ctx, &eks.TagResourceInput{ResourceArn: made.Association.AssociationArn, Tags: map[string]string{"c": "d"}})
	_, cut := client.UntagResource(ctx, &eks.UntagResourceInput{ResourceArn: made.Association.AssociationArn, TagKeys: []string{"a"}})
	tags, read := client.ListTagsForResource(ctx, &eks.ListTagsForResourceInput{ResourceArn: made.Association.AssociationArn})
	_, updated := client.UpdatePodIdentityAssociation(ctx, &eks.UpdatePodIdentityAssociationInput{ClusterName: cluster, AssociationId: id, RoleArn: role})
	got, described := client.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: cluster, AssociationId: id})
	_, deleted := client.DeletePodIdentityAssociation(ctx, &eks.DeletePodIdentityAssociationInput{ClusterName: cluster, AssociationId: id})
	if err := errors.Join(tagged, cut, read, updated, described, deleted); err != nil || tags.Tags["c"] != "d" || len(tags.Tags) != 1 || got.Association.Tags["c"] != "d" {
		t.Errorf("%v, %+v, %+v", err, tags, got)
	}
	wantError(t, second(client.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: cluster, AssociationId: id})), "ResourceNotFoundException")
}

// TestEKS_Parts: what a cluster consists of.
func TestEKS_Parts(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	client, cluster, _ := newCluster(t, l)
	k, e1 := client.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: cluster})
	addons, e2 := client.ListAddons(ctx, &eks.ListAddonsInput{ClusterName: cluster, MaxResults: aws.Int32(1)})
	addon, e3 := client.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: cluster, AddonName: aws.String("metrics-server")})
	groups, e4 := client.ListNodegroups(ctx, &eks.ListNodegroupsInput{ClusterName: cluster})
	group, e5 := client.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: cluster, NodegroupName: aws.String("default")})
	profiles, e6 := client.ListFargateProfiles(ctx, &eks.ListFargateProfilesInput{ClusterName: cluster})
	profile, e7 := client.DescribeFargateProfile(ctx, &eks.DescribeFargateProfileInput{ClusterName: cluster, FargateProfileName: aws.String("fp")})
	if err := errors.Join(e1, e2, e3, e4, e5, e6, e7); err != nil {
		t.Fatal(err)
	}
	if k.Cluster.AccessConfig.AuthenticationMode != types.AuthenticationModeApiAndConfigMap || *k.Cluster.Identity.Oidc.Issuer == "" || len(addons.Addons) != 1 || addons.NextToken == nil || addon.Addon.Status != types.AddonStatusActive ||
		groups.Nodegroups[0] != "default" || group.Nodegroup.AmiType != types.AMITypesAl2023X8664Standard || profiles.FargateProfileNames[0] != "fp" || *profile.FargateProfile.Selectors[0].Namespace != "retail" {
		t.Errorf("%+v\n%+v\n%+v\n%+v\n%+v", k.Cluster, addons, addon, group, profile)
	}
	wantError(t, second(client.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: cluster, AddonName: aws.String("absent")})), "ResourceNotFoundException")
	wantError(t, second(client.ListAddons(ctx, &eks.ListAddonsInput{ClusterName: aws.String("absent")})), "ResourceNotFoundException")
}
