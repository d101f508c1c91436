package resources

import (
	"net/http"
	"testing"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

const regional = awstest.Region + ":" + awstest.Account + ":"

// byJSON calls a service that takes JSON as somebody else.
func (l *lab) byJSON(api session.API, operation string, in map[string]any) func() {
	return func() {
		l.t.Helper()
		l.as(l.hand.json(l.t.Context(), "change it by hand", api, operation, in, nil))
	}
}

func TestRepository_Conformance(t *testing.T) {
	const name = "mlops/retail"
	want := account.Resource{
		Kind: account.KindRepository, Name: name, ARN: "arn:aws:ecr:" + regional + "repository/" + name, Data: true,
		Spec: account.Repository{Immutable: true, ScanOnPush: true, UntaggedDays: account.UntaggedDays},
	}
	rule := `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":10},"action":{"type":"expire"}}]}`
	run(t, func(l *lab) porttest.AccountFixture {
		by := func(operation string, in map[string]any) func() {
			in["repositoryName"] = name
			return l.byJSON(ecrAPI, operation, in)
		}
		return l.fixture(want, by("CreateRepository", map[string]any{}), map[string]func(){
			"tags that move":             by("PutImageTagMutability", map[string]any{"imageTagMutability": "MUTABLE"}),
			"no scan":                    by("PutImageScanningConfiguration", map[string]any{"imageScanningConfiguration": map[string]bool{"scanOnPush": false}}),
			"no lifecycle":               by("DeleteLifecyclePolicy", map[string]any{}),
			"a rule that takes releases": by("PutLifecyclePolicy", map[string]any{"lifecyclePolicyText": rule}),
		})
	})
}

func TestModelGroup_Conformance(t *testing.T) {
	want := account.Resource{
		Kind: account.KindModelGroup, Name: "retail", ARN: "arn:aws:sagemaker:" + regional + "model-package-group/retail", Data: true,
		Spec: account.ModelGroup{Description: "Models of retail."},
	}
	run(t, func(l *lab) porttest.AccountFixture {
		return l.fixture(want, l.byJSON(sagemakerAPI, "CreateModelPackageGroup", map[string]any{"ModelPackageGroupName": "retail"}), nil)
	})
}

func TestLogGroup_Conformance(t *testing.T) {
	want := account.Resource{
		Kind: account.KindLogGroup, Name: "/slipway/retail", ARN: "arn:aws:logs:" + regional + "log-group:/slipway/retail",
		Spec: account.LogGroup{RetentionDays: account.RetentionDays},
	}
	run(t, func(l *lab) porttest.AccountFixture {
		l.AddLogGroup("/slipway/retail-other")
		by := func(operation string, in map[string]any) func() {
			in["logGroupName"] = want.Name
			return l.byJSON(logsAPI, operation, in)
		}
		return l.fixture(want, by("CreateLogGroup", map[string]any{}), map[string]func(){
			"kept for ever": by("DeleteRetentionPolicy", map[string]any{}),
			"kept a day":    by("PutRetentionPolicy", map[string]any{"retentionInDays": 1}),
		})
	})
}

func TestTopic_Conformance(t *testing.T) {
	want := account.Resource{Kind: account.KindTopic, Name: "releases", ARN: "arn:aws:sns:" + regional + "releases", Environment: "prod", Spec: account.Topic{}}
	run(t, func(l *lab) porttest.AccountFixture {
		return l.fixture(want, func() { l.AddTopic("releases") }, map[string]func(){
			"another environment's tag": func() {
				l.as(l.hand.query(l.t.Context(), "change it by hand", snsAPI, "TagResource", withTags(form("ResourceArn", want.ARN), map[string]string{account.TagEnvironment: "dev"}), nil))
			},
		})
	})
}

func TestAccessEntry_Conformance(t *testing.T) {
	want := account.Resource{
		Kind: account.KindAccessEntry, Name: "mlops/" + roleName, Environment: "prod",
		Spec: account.AccessEntry{Cluster: "mlops", Principal: iamPrefix + "role/" + roleName, Groups: []string{"slipway:retail"}},
	}
	run(t, func(l *lab) porttest.AccountFixture {
		l.AddCluster(awstest.Cluster{Name: "mlops", Endpoint: "https://k"})
		l.AddRole(awstest.Role{Name: roleName})
		entries := []string{"clusters", "mlops", "access-entries"}
		entry := append(entries[:3:3], iamPrefix+"role/"+roleName)
		by := func(operation, method string, path []string, in any) func() {
			return func() { l.as(l.hand.eks(l.t.Context(), "change it by hand", operation, method, path, nil, in, nil)) }
		}
		create := by("CreateAccessEntry", http.MethodPost, entries, map[string]any{"principalArn": entry[3]})
		return l.fixture(want, create, map[string]func(){
			"an administrator": by("UpdateAccessEntry", http.MethodPost, entry, map[string]any{"kubernetesGroups": []string{"slipway:retail", "admins"}}),
			"EKS's own policy": by("AssociateAccessPolicy", http.MethodPost, append(entry[:4:4], "access-policies"), map[string]any{
				"policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy", "accessScope": map[string]any{"type": "cluster"},
			}),
		})
	})
}

func TestPodIdentity_Conformance(t *testing.T) {
	want := account.Resource{
		Kind: account.KindPodIdentity, Name: "mlops/retail/api", Environment: "prod",
		Spec: account.PodIdentity{Cluster: "mlops", Namespace: "retail", ServiceAccount: "api", Role: iamPrefix + "role/pods"},
	}
	run(t, func(l *lab) porttest.AccountFixture {
		l.AddCluster(awstest.Cluster{Name: "mlops", Endpoint: "https://k"})
		pods := &awstest.Role{Name: "pods"}
		l.AddRole(*pods)
		l.AddRole(awstest.Role{Name: "other"})
		for _, name := range []string{"pods", "other"} {
			l.byHand("UpdateAssumeRolePolicy", "RoleName", name, "PolicyDocument", podsTrust)()
		}
		path := []string{"clusters", "mlops", "pod-identity-associations"}
		return l.fixture(want, func() {
			in := map[string]any{"namespace": "retail", "serviceAccount": "api", "roleArn": iamPrefix + "role/other"}
			l.as(l.hand.eks(l.t.Context(), "change it by hand", "CreatePodIdentityAssociation", http.MethodPost, path, nil, in, nil))
		}, map[string]func(){
			"another role": func() {
				a, _, err := podIdentity{l.hand}.find(l.t.Context(), want)
				if err != nil || a == nil {
					l.t.Fatal(a, err)
				}
				l.as(l.hand.eks(l.t.Context(), "change it by hand", "UpdatePodIdentityAssociation", http.MethodPost, append(path[:3:3], a.AssociationId), nil, map[string]any{"roleArn": iamPrefix + "role/other"}, nil))
			},
		})
	})
}

const podsTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`

func TestBucket_Conformance(t *testing.T) {
	want := account.Resource{Kind: account.KindBucket, Name: "retail-ml", ARN: "arn:aws:s3:::retail-ml", Data: true, Spec: account.Bucket{Versioned: true, Expire: map[string]int{"tmp/": 7}}}
	run(t, func(l *lab) porttest.AccountFixture {
		by := func(operation, method, setting string, in any) func() {
			return func() {
				l.as(l.hand.s3(l.t.Context(), "change it by hand", call{operation: operation, method: method, bucket: "retail-ml", query: setting, in: in}, nil))
			}
		}
		open := publicAccess{BlockPublicAcls: true}
		days := func(prefix string, n int) func() {
			return func() {
				if err := (bucket{l.hand}).putExpire(l.t.Context(), "change it by hand", "retail-ml", map[string]int{prefix: n}); err != nil {
					l.t.Error(err)
				}
			}
		}
		return l.fixture(want, func() { l.AddBucket(awstest.Bucket{Name: "retail-ml"}) }, map[string]func(){
			"versions suspended":   by("PutBucketVersioning", http.MethodPut, "versioning", versioning{Status: "Suspended"}),
			"public access":        by("PutPublicAccessBlock", http.MethodPut, "publicAccessBlock", open),
			"no policy":            by("DeleteBucketPolicy", http.MethodDelete, "policy", nil),
			"no lifecycle":         by("DeleteBucketLifecycle", http.MethodDelete, "lifecycle", nil),
			"models that expire":   days("models/", 1),
			"another time to live": days("tmp/", 1),
		})
	})
}
