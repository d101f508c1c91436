package awstest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const ours = "retail-111122223333"

// makeBucket makes a bucket of the account's region.
func makeBucket(t *testing.T, client *s3.Client) {
	t.Helper()
	_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(ours), CreateBucketConfiguration: &types.CreateBucketConfiguration{
		LocationConstraint: "ap-southeast-1", Tags: []types.Tag{{Key: aws.String("slipway:project"), Value: aws.String("retail")}},
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// TestS3_Settings: what is kept of a bucket, and what a new one has.
func TestS3_Settings(t *testing.T) {
	l := newLab(t)
	ctx, client, name := t.Context(), s3.NewFromConfig(l.config), aws.String(ours)
	makeBucket(t, client)
	encryption, e1 := client.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: name})
	block, e2 := client.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: name})
	location, e3 := client.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: name})
	versioning, e4 := client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: name})
	tags, e5 := client.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: name})
	if err := errors.Join(e1, e2, e3, e4, e5); err != nil {
		t.Fatal(err)
	}
	if encryption.ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault.SSEAlgorithm != types.ServerSideEncryptionAes256 || !*block.PublicAccessBlockConfiguration.BlockPublicPolicy ||
		location.LocationConstraint != "ap-southeast-1" || versioning.Status != "" || *tags.TagSet[0].Value != "retail" {
		t.Errorf("%+v\n%+v\n%+v\n%+v\n%+v", encryption, block, location, versioning, tags)
	}
	for code, err := range map[string]error{
		"NoSuchLifecycleConfiguration": second(client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: name})),
		"NoSuchBucketPolicy":           second(client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: name})),
		"NoSuchBucket":                 second(client.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: aws.String("absent")})),
	} {
		wantError(t, err, code)
	}
	kms := &types.ServerSideEncryptionConfiguration{Rules: []types.ServerSideEncryptionRule{{BucketKeyEnabled: aws.Bool(true), ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryptionAwsKms}}}}
	rules := &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{{
		ID: aws.String("tmp"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("tmp/")}, Expiration: &types.LifecycleExpiration{Days: aws.Int32(7)},
		NoncurrentVersionExpiration: &types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(30)},
	}}}
	_, p1 := client.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{Bucket: name, ServerSideEncryptionConfiguration: kms})
	_, p2 := client.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: name, PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{BlockPublicAcls: aws.Bool(true)}})
	_, p3 := client.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: name, LifecycleConfiguration: rules})
	_, p4 := client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: name, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	_, p5 := client.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: name, Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}, {Key: aws.String("c"), Value: aws.String("d")}}}})
	encryption, g1 := client.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: name})
	block, g2 := client.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: name})
	lifecycle, g3 := client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: name})
	versioning, g4 := client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: name})
	if err := errors.Join(p1, p2, p3, p4, p5, g1, g2, g3, g4); err != nil {
		t.Fatal(err)
	}
	if got := l.Tags("arn:aws:s3:::" + ours); len(got) != 2 || got["c"] != "d" {
		t.Errorf("tags %v", got)
	}
	if !*encryption.ServerSideEncryptionConfiguration.Rules[0].BucketKeyEnabled || *lifecycle.Rules[0].Filter.Prefix != "tmp/" || *lifecycle.Rules[0].Expiration.Days != 7 || versioning.Status != types.BucketVersioningStatusEnabled || block.PublicAccessBlockConfiguration.BlockPublicPolicy != nil {
		t.Errorf("%+v\n%+v\n%+v\n%+v", encryption, lifecycle, versioning, block)
	}
}

func second[T any](_ T, err error) error { return err }

// TestS3_CreateBucket: names and regions that S3 refuses.
func TestS3_CreateBucket(t *testing.T) {
	l := newLab(t)
	client := s3.NewFromConfig(l.config)
	makeBucket(t, client)
	l.TakeBucketName("taken")
	for _, tt := range []struct{ name, region, code string }{
		{ours, "ap-southeast-1", "BucketAlreadyOwnedByYou"},
		{"taken", "ap-southeast-1", "BucketAlreadyExists"},
		{"new", "", "IllegalLocationConstraintException"},
		{"new", "eu-west-1", "IllegalLocationConstraintException"},
		{"New", "ap-southeast-1", "InvalidBucketName"},
		{"a..b", "ap-southeast-1", "InvalidBucketName"},
	} {
		in := &s3.CreateBucketInput{Bucket: &tt.name}
		if tt.region != "" {
			in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(tt.region)}
		}
		_, err := client.CreateBucket(t.Context(), in)
		wantError(t, err, tt.code)
	}
}

// TestS3_BucketPolicy: what a bucket denies, it denies whoever calls.
func TestS3_BucketPolicy(t *testing.T) {
	l := newLab(t)
	ctx, client, name := t.Context(), s3.NewFromConfig(l.config), aws.String(ours)
	makeBucket(t, client)
	policy := func(statement string) error {
		text := `{"Version": "2012-10-17", "Statement": [` + statement + `]}`
		_, err := client.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: name, Policy: &text})
		return err
	}
	both := `"Resource": ["arn:aws:s3:::` + ours + `", "arn:aws:s3:::` + ours + `/*"]`
	wantError(t, policy(`{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::other/*"}`), "MalformedPolicy")
	wantError(t, policy(`{"Effect": "Deny", "Action": "s3:*", `+both+`}`), "MalformedPolicy")
	wantError(t, policy(`{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", `+both+`}`), "AccessDenied")
	put := func() error {
		_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: name, Key: aws.String("k"), Body: strings.NewReader("x")})
		return err
	}
	if err := errors.Join(policy(`{"Sid": "TLSOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*", `+both+`, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}`), put()); err != nil {
		t.Error(err)
	}
	if got, err := client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: name}); err != nil || !strings.Contains(*got.Policy, "TLSOnly") {
		t.Errorf("%+v, %v", got, err)
	}
	if err := policy(`{"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "s3:PutObject", ` + both + `, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}`); err != nil {
		t.Error(err)
	}
	wantError(t, put(), "AccessDenied")
	if _, err := client.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: name}); err != nil {
		t.Error(err)
	}
	if err := put(); err != nil {
		t.Error(err)
	}
}

// TestS3_Versions: a bucket with versions is empty once every version and marker is gone.
func TestS3_Versions(t *testing.T) {
	l := newLab(t)
	ctx, client, name := t.Context(), s3.NewFromConfig(l.config), aws.String(ours)
	makeBucket(t, client)
	if _, err := client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: name, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "a", "b"} {
		if _, err := l.PutObject(ours, key, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	marked, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: name, Key: aws.String("a")})
	if err != nil || !*marked.DeleteMarker {
		t.Errorf("%+v, %v", marked, err)
	}
	_, err = client.GetObject(ctx, &s3.GetObjectInput{Bucket: name, Key: aws.String("a")})
	wantError(t, err, "NoSuchKey")
	if keys := l.Keys(ours, ""); len(keys) != 1 {
		t.Errorf("keys %q", keys)
	}
	_, err = client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: name})
	wantError(t, err, "BucketNotEmpty")
	var gone []types.ObjectIdentifier
	in := &s3.ListObjectVersionsInput{Bucket: name, MaxKeys: aws.Int32(3)}
	for more := true; more; {
		page, err := client.ListObjectVersions(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.Versions {
			gone = append(gone, types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
		}
		for _, v := range page.DeleteMarkers {
			gone = append(gone, types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
		}
		more, in.KeyMarker, in.VersionIdMarker = *page.IsTruncated, page.NextKeyMarker, page.NextVersionIdMarker
	}
	deleted, err := client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: name, Delete: &types.Delete{Objects: gone}})
	if err != nil || len(gone) != 4 || len(deleted.Deleted) != 4 {
		t.Errorf("%d versions, %+v, %v", len(gone), deleted, err)
	}
	if _, err := client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: name}); err != nil {
		t.Error(err)
	}
}
