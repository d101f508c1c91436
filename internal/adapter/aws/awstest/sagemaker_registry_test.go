package awstest_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

const group = "retail-price-sensitivity-models"

// newGroup makes a model package group.
func newGroup(t *testing.T, l *lab) *sagemaker.Client {
	t.Helper()
	client := sagemaker.NewFromConfig(l.config)
	if _, err := client.CreateModelPackageGroup(t.Context(), &sagemaker.CreateModelPackageGroupInput{ModelPackageGroupName: aws.String(group)}); err != nil {
		t.Fatal(err)
	}
	return client
}

// create registers a version, and returns its ARN.
func create(t *testing.T, client *sagemaker.Client, change func(*sagemaker.CreateModelPackageInput)) (string, error) {
	t.Helper()
	in := &sagemaker.CreateModelPackageInput{ModelPackageGroupName: aws.String(group)}
	if change != nil {
		change(in)
	}
	out, err := client.CreateModelPackage(t.Context(), in)
	if err != nil {
		return "", err
	}
	return *out.ModelPackageArn, nil
}

func describe(t *testing.T, client *sagemaker.Client, arn string) *sagemaker.DescribeModelPackageOutput {
	t.Helper()
	out, err := client.DescribeModelPackage(t.Context(), &sagemaker.DescribeModelPackageInput{ModelPackageName: &arn})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestModelRegistry_Versions(t *testing.T) {
	l := newLab(t)
	client := newGroup(t, l)
	_, err := client.CreateModelPackageGroup(t.Context(), &sagemaker.CreateModelPackageGroupInput{ModelPackageGroupName: aws.String(group)})
	wantError(t, err, "ValidationException")
	g, err := client.DescribeModelPackageGroup(t.Context(), &sagemaker.DescribeModelPackageGroupInput{ModelPackageGroupName: aws.String(group)})
	if err != nil || !strings.HasSuffix(*g.ModelPackageGroupArn, ":model-package-group/"+group) {
		t.Errorf("group %+v, %v", g, err)
	}
	arn, err := create(t, client, func(in *sagemaker.CreateModelPackageInput) {
		in.CustomerMetadataProperties = map[string]string{"a": "1"}
	})
	if err != nil {
		t.Fatal(err)
	}
	got := describe(t, client, arn)
	if *got.ModelPackageVersion != 1 || got.ModelPackageStatus != types.ModelPackageStatusCompleted || got.ModelApprovalStatus != types.ModelApprovalStatusPendingManualApproval {
		t.Errorf("new version: %+v", got)
	}
	l.as(l.AddUser("ana"))
	client = sagemaker.NewFromConfig(l.config)
	_, err = client.UpdateModelPackage(t.Context(), &sagemaker.UpdateModelPackageInput{
		ModelPackageArn: &arn, ModelApprovalStatus: types.ModelApprovalStatusApproved, ApprovalDescription: aws.String("good"),
		ModelLifeCycle: &types.ModelLifeCycle{Stage: aws.String("prod"), StageStatus: aws.String("Serving")}, CustomerMetadataProperties: map[string]string{"b": "2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	got = describe(t, client, arn)
	if got.ModelApprovalStatus != types.ModelApprovalStatusApproved || *got.ModelLifeCycle.Stage != "prod" || len(got.CustomerMetadataProperties) != 2 || !strings.HasSuffix(*got.LastModifiedBy.IamIdentity.Arn, ":user/ana") {
		t.Errorf("after the update: %+v", got)
	}
	many := map[string]string{}
	for i := range 49 {
		many[fmt.Sprint("k", i)] = "v"
	}
	_, err = client.UpdateModelPackage(t.Context(), &sagemaker.UpdateModelPackageInput{ModelPackageArn: &arn, CustomerMetadataProperties: many})
	wantError(t, err, "ValidationException")
	_, err = client.UpdateModelPackage(t.Context(), &sagemaker.UpdateModelPackageInput{ModelPackageArn: aws.String(arn + "9")})
	wantError(t, err, "ValidationException")
	if err := l.Invalid(); err != nil {
		t.Errorf("requests that no model refuses: %v", err)
	}
}

// A token makes a repeated call one, and a call with other inputs an error.
func TestModelRegistry_ClientToken(t *testing.T) {
	l := newLab(t)
	client := newGroup(t, l)
	with := func(description string) func(*sagemaker.CreateModelPackageInput) {
		return func(in *sagemaker.CreateModelPackageInput) {
			in.ClientToken, in.ModelPackageDescription = aws.String("t-1"), &description
		}
	}
	first, err := create(t, client, with("a"))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := create(t, client, with("a")); err != nil || again != first {
		t.Errorf("the same again: %s, %v, want %s", again, err, first)
	}
	_, err = create(t, client, with("b"))
	wantError(t, err, "ConflictException")
	l.ForgetClientTokens()
	if later, err := create(t, client, with("a")); err != nil || later == first {
		t.Errorf("after a long time: %s, %v", later, err)
	}
	update := func(status types.ModelApprovalStatus) error {
		_, err := client.UpdateModelPackage(t.Context(), &sagemaker.UpdateModelPackageInput{ModelPackageArn: &first, ClientToken: aws.String("t-1"), ModelApprovalStatus: status})
		return err
	}
	if err := update(types.ModelApprovalStatusApproved); err != nil {
		t.Errorf("the token of another operation: %v", err)
	}
	wantError(t, update(types.ModelApprovalStatusRejected), "ConflictException")
}

func TestModelRegistry_Life(t *testing.T) {
	l := newLab(t)
	client := newGroup(t, l)
	l.ModelPackageLife("Pending", "InProgress", "Failed")
	arn, err := create(t, client, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.ChangeModelPackage(group, 1, func(p *awstest.ModelPackage) { p.Reason = "no such object" }); err != nil {
		t.Fatal(err)
	}
	var seen []string
	for range 4 {
		seen = append(seen, string(describe(t, client, arn).ModelPackageStatus))
	}
	if want := []string{"Pending", "InProgress", "Failed", "Failed"}; !slices.Equal(seen, want) {
		t.Errorf("statuses %q, want %q", seen, want)
	}
	if got := describe(t, client, arn).ModelPackageStatusDetails.ValidationStatuses[0]; aws.ToString(got.FailureReason) != "no such object" {
		t.Errorf("details %+v", got)
	}
	if _, err := client.DeleteModelPackage(t.Context(), &sagemaker.DeleteModelPackageInput{ModelPackageName: &arn}); err != nil {
		t.Fatal(err)
	}
	if got := describe(t, client, arn); got.ModelPackageStatus != types.ModelPackageStatusDeleting {
		t.Errorf("deleted: %s", got.ModelPackageStatus)
	}
	_, err = client.DescribeModelPackage(t.Context(), &sagemaker.DescribeModelPackageInput{ModelPackageName: &arn})
	wantError(t, err, "ValidationException")
	if next, err := create(t, client, nil); err != nil || !strings.HasSuffix(next, "/2") {
		t.Errorf("after the deletion: %s, %v: a number is not given again", next, err)
	}
}

func TestModelRegistry_Lists(t *testing.T) {
	l := newLab(t)
	client := newGroup(t, l)
	for i := range 13 {
		if _, err := create(t, client, func(in *sagemaker.CreateModelPackageInput) {
			if i%2 == 0 {
				in.ModelApprovalStatus = types.ModelApprovalStatusApproved
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	list := func(in sagemaker.ListModelPackagesInput) (numbers []int32) {
		t.Helper()
		for pages := sagemaker.NewListModelPackagesPaginator(client, &in); pages.HasMorePages(); {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range page.ModelPackageSummaryList {
				numbers = append(numbers, *p.ModelPackageVersion)
			}
		}
		return numbers
	}
	if got := list(sagemaker.ListModelPackagesInput{ModelPackageGroupName: aws.String(group)}); len(got) != 13 || got[0] != 1 {
		t.Errorf("all: %v", got)
	}
	got := list(sagemaker.ListModelPackagesInput{
		ModelPackageGroupName: aws.String(group), ModelApprovalStatus: types.ModelApprovalStatusApproved, SortOrder: types.SortOrderDescending, MaxResults: aws.Int32(3),
	})
	if want := []int32{13, 11, 9, 7, 5, 3, 1}; !slices.Equal(got, want) {
		t.Errorf("approved, newest first: %v, want %v", got, want)
	}
	if got := list(sagemaker.ListModelPackagesInput{}); len(got) != 0 {
		t.Errorf("without a type: %v, want none: AWS lists unversioned packages by default", got)
	}
	if got := list(sagemaker.ListModelPackagesInput{ModelPackageType: types.ModelPackageTypeVersioned}); len(got) != 13 {
		t.Errorf("versioned: %v", got)
	}
	_, err := client.ListModelPackages(t.Context(), &sagemaker.ListModelPackagesInput{ModelPackageGroupName: aws.String("absent")})
	wantError(t, err, "ValidationException")
	l.HideNewModelPackages(1)
	if _, err := create(t, client, nil); err != nil {
		t.Fatal(err)
	}
	in := sagemaker.ListModelPackagesInput{ModelPackageGroupName: aws.String(group), MaxResults: aws.Int32(100)}
	if before, after := list(in), list(in); len(before) != 13 || len(after) != 14 {
		t.Errorf("lists have %d, then %d versions, want 13, then 14", len(before), len(after))
	}
	groups, err := client.ListModelPackageGroups(t.Context(), nil)
	if err != nil || len(groups.ModelPackageGroupSummaryList) != 1 {
		t.Errorf("groups %+v, %v", groups, err)
	}
}

// Complaint 2: SageMaker takes Docker's schema 2 only.
func TestSageMaker_RefusesOCI(t *testing.T) {
	l := newLab(t)
	client := newGroup(t, l)
	l.AddRepository(awstest.Repository{Name: "mlops/retail-api"})
	l.ServeImages(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }))
	token, err := ecr.NewFromConfig(l.config).GetAuthorizationToken(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for tag, tt := range map[string]struct{ mediaType, want string }{
		"oci":    {"application/vnd.oci.image.manifest.v1+json", "Unsupported manifest media type"},
		"index":  {"application/vnd.oci.image.index.v1+json", "Unsupported manifest media type"},
		"list":   {"application/vnd.docker.distribution.manifest.list.v2+json", "Unsupported manifest media type"},
		"docker": {"application/vnd.docker.distribution.manifest.v2+json", ""},
		"absent": {"", "not found"},
	} {
		t.Run(tag, func(t *testing.T) {
			if tt.mediaType != "" {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://"+l.RegistryHost()+"/v2/mlops/retail-api/manifests/"+tag, strings.NewReader(tag))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", tt.mediaType)
				r.Header.Set("Authorization", "Basic "+*token.AuthorizationData[0].AuthorizationToken)
				res, err := l.Client.Do(r)
				if err != nil || res.StatusCode != http.StatusCreated {
					t.Fatalf("%+v, %v", res, err)
				}
				_ = res.Body.Close()
			}
			image := l.RegistryHost() + "/mlops/retail-api:" + tag
			_, asPackage := create(t, client, func(in *sagemaker.CreateModelPackageInput) {
				in.InferenceSpecification = &types.InferenceSpecification{Containers: []types.ModelPackageContainerDefinition{{Image: &image}}}
			})
			_, asModel := client.CreateModel(t.Context(), &sagemaker.CreateModelInput{ModelName: aws.String("m-" + tag), PrimaryContainer: &types.ContainerDefinition{Image: &image}})
			for _, err := range []error{asPackage, asModel} {
				if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
					t.Errorf("%v, want %q", err, tt.want)
				}
			}
		})
	}
	if m, err := client.DescribeModel(t.Context(), &sagemaker.DescribeModelInput{ModelName: aws.String("m-docker")}); err != nil || !strings.HasSuffix(*m.ModelArn, ":model/m-docker") {
		t.Errorf("model %+v, %v", m, err)
	}
}

func TestSageMaker_Tags(t *testing.T) {
	l := newLab(t)
	client := newGroup(t, l)
	arn := aws.String("arn:aws:sagemaker:" + awstest.Region + ":" + awstest.Account + ":model-package-group/" + group)
	for _, value := range []string{"1", "2"} {
		if _, err := client.AddTags(t.Context(), &sagemaker.AddTagsInput{ResourceArn: arn, Tags: []types.Tag{{Key: aws.String("k"), Value: &value}}}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := client.ListTags(t.Context(), &sagemaker.ListTagsInput{ResourceArn: arn})
	if err != nil || len(got.Tags) != 1 || *got.Tags[0].Value != "2" {
		t.Errorf("tags %+v, %v", got, err)
	}
}
