package awstest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

const untagged = `{"rules": [{"rulePriority": 1, "description": "untagged images go", "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14}, "action": {"type": "expire"}}]}`

// TestECR_Settings: a repository from its creation to its end.
func TestECR_Settings(t *testing.T) {
	l := newLab(t)
	ctx, client, name := t.Context(), ecr.NewFromConfig(l.config), aws.String("mlops/retail-api")
	latest := []types.ImageTagMutabilityExclusionFilter{{Filter: aws.String("latest*"), FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard}}
	made, err := client.CreateRepository(ctx, &ecr.CreateRepositoryInput{
		RepositoryName: name, ImageTagMutability: types.ImageTagMutabilityImmutableWithExclusion, ImageTagMutabilityExclusionFilters: latest,
		EncryptionConfiguration: &types.EncryptionConfiguration{EncryptionType: types.EncryptionTypeKms, KmsKey: aws.String("alias/k")},
		Tags:                    []types.Tag{{Key: aws.String("slipway:project"), Value: aws.String("retail")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := made.Repository; *r.EncryptionConfiguration.KmsKey != "alias/k" || *r.ImageTagMutabilityExclusionFilters[0].Filter != "latest*" || r.CreatedAt == nil {
		t.Errorf("made %+v", r)
	}
	arn := made.Repository.RepositoryArn
	_, err = client.GetLifecyclePolicy(ctx, &ecr.GetLifecyclePolicyInput{RepositoryName: name})
	wantError(t, err, "LifecyclePolicyNotFoundException")
	for _, bad := range []string{strings.Replace(untagged, `"untagged", `, `"tagged", `, 1), strings.Replace(untagged, `"countUnit": "days", `, "", 1), strings.Replace(untagged, "14", "0", 1), strings.Repeat("x", 120)} {
		_, err := client.PutLifecyclePolicy(ctx, &ecr.PutLifecyclePolicyInput{RepositoryName: name, LifecyclePolicyText: &bad})
		wantError(t, err, "InvalidParameterException")
	}
	_, put := client.PutLifecyclePolicy(ctx, &ecr.PutLifecyclePolicyInput{RepositoryName: name, LifecyclePolicyText: aws.String(untagged)})
	got, read := client.GetLifecyclePolicy(ctx, &ecr.GetLifecyclePolicyInput{RepositoryName: name})
	_, dropped := client.DeleteLifecyclePolicy(ctx, &ecr.DeleteLifecyclePolicyInput{RepositoryName: name})
	_, scan := client.PutImageScanningConfiguration(ctx, &ecr.PutImageScanningConfigurationInput{RepositoryName: name, ImageScanningConfiguration: &types.ImageScanningConfiguration{ScanOnPush: true}})
	_, tagged := client.TagResource(ctx, &ecr.TagResourceInput{ResourceArn: arn, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}})
	_, cut := client.UntagResource(ctx, &ecr.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"slipway:project"}})
	tags, listed := client.ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{ResourceArn: arn})
	if err := errors.Join(put, read, dropped, scan, tagged, cut, listed); err != nil || *got.LifecyclePolicyText != untagged || len(tags.Tags) != 1 || *tags.Tags[0].Key != "a" {
		t.Fatalf("%v, %+v, %+v", err, got, tags)
	}
	_, err = client.PutImageTagMutability(ctx, &ecr.PutImageTagMutabilityInput{RepositoryName: name, ImageTagMutability: types.ImageTagMutabilityImmutable, ImageTagMutabilityExclusionFilters: latest})
	wantError(t, err, "InvalidParameterException")
	if _, err := client.PutImageTagMutability(ctx, &ecr.PutImageTagMutabilityInput{RepositoryName: name, ImageTagMutability: types.ImageTagMutabilityImmutable}); err != nil {
		t.Error(err)
	}
	all, err := client.DescribeRepositories(ctx, nil)
	if err != nil || all.Repositories[0].ImageTagMutability != types.ImageTagMutabilityImmutable || !all.Repositories[0].ImageScanningConfiguration.ScanOnPush {
		t.Errorf("%+v, %v", all, err)
	}
	l.PutImage(*name, awstest.Image{Digest: "sha256:" + strings.Repeat("a", 64), MediaType: "m"})
	_, err = client.DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RepositoryName: name})
	wantError(t, err, "RepositoryNotEmptyException")
	if _, err = client.DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RepositoryName: name, Force: true}); err != nil {
		t.Error(err)
	}
	_, err = client.ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{ResourceArn: arn})
	wantError(t, err, "RepositoryNotFoundException")
}
