package awstest_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	smtypes "github.com/aws/aws-sdk-go-v2/service/sagemaker/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

// json calls an operation of a service in AWS's JSON protocol.
func (l *lab) json(t *testing.T, host, service, region, target, body string) (string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+host+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", target)
	return l.send(t, service, region, r, body)
}

// resources asks what has tags, in a region.
func (l *lab) resources(t *testing.T, region, body string) string {
	t.Helper()
	out, err := l.json(t, "tagging."+region+".amazonaws.com", "tagging", region, "ResourceGroupsTaggingAPI_20170126.GetResources", body)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSNS_Topic: a topic from its creation, which is idempotent, to its end.
func TestSNS_Topic(t *testing.T) {
	l := newLab(t)
	ctx, client := t.Context(), sns.NewFromConfig(l.config)
	tags := []snstypes.Tag{{Key: aws.String("a"), Value: aws.String("b")}}
	made, err := client.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("releases"), Tags: tags, Attributes: map[string]string{"DisplayName": "Releases"}})
	if err != nil {
		t.Fatal(err)
	}
	again, err := client.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("releases"), Tags: tags})
	if err != nil || *again.TopicArn != *made.TopicArn {
		t.Errorf("%+v, %v", again, err)
	}
	wantError(t, second(client.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("releases"), Tags: []snstypes.Tag{{Key: aws.String("a"), Value: aws.String("c")}}})), "InvalidParameter")
	wantError(t, second(client.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("a b")})), "InvalidParameter")
	_, set := client.SetTopicAttributes(ctx, &sns.SetTopicAttributesInput{TopicArn: made.TopicArn, AttributeName: aws.String("KmsMasterKeyId"), AttributeValue: aws.String("alias/aws/sns")})
	got, read := client.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: made.TopicArn})
	_, tagged := client.TagResource(ctx, &sns.TagResourceInput{ResourceArn: made.TopicArn, Tags: []snstypes.Tag{{Key: aws.String("c"), Value: aws.String("d")}}})
	_, cut := client.UntagResource(ctx, &sns.UntagResourceInput{ResourceArn: made.TopicArn, TagKeys: []string{"a"}})
	listed, list := client.ListTagsForResource(ctx, &sns.ListTagsForResourceInput{ResourceArn: made.TopicArn})
	all, topics := client.ListTopics(ctx, nil)
	if err := errors.Join(set, read, tagged, cut, list, topics); err != nil || got.Attributes["DisplayName"] != "Releases" || got.Attributes["KmsMasterKeyId"] != "alias/aws/sns" || got.Attributes["Policy"] == "" || *listed.Tags[0].Key != "c" || len(all.Topics) != 1 {
		t.Errorf("%v, %+v, %+v", err, got, listed)
	}
	for range 2 {
		if _, err := client.DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: made.TopicArn}); err != nil {
			t.Error(err)
		}
	}
	wantError(t, second(client.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: made.TopicArn})), "NotFound")
}

// TestLogs_Group: retention and tags of a group.
func TestLogs_Group(t *testing.T) {
	l := newLab(t)
	ctx, client, name := t.Context(), cloudwatchlogs.NewFromConfig(l.config), aws.String("/slipway/retail")
	if _, err := client.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: name, Tags: map[string]string{"a": "b"}}); err != nil {
		t.Fatal(err)
	}
	l.AddLogGroup("/aws/sagemaker/TrainingJobs")
	wantError(t, second(client.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: name, RetentionInDays: aws.Int32(10)})), "InvalidParameterException")
	wantError(t, second(client.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String("absent"), RetentionInDays: aws.Int32(30)})), "ResourceNotFoundException")
	_, put := client.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: name, RetentionInDays: aws.Int32(30)})
	groups, read := client.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("/slipway/")})
	if err := errors.Join(put, read); err != nil || len(groups.LogGroups) != 1 || *groups.LogGroups[0].RetentionInDays != 30 || !strings.HasSuffix(*groups.LogGroups[0].Arn, ":*") {
		t.Fatalf("%v, %+v", err, groups)
	}
	wantError(t, second(client.ListTagsForResource(ctx, &cloudwatchlogs.ListTagsForResourceInput{ResourceArn: groups.LogGroups[0].Arn})), "ValidationException")
	arn := groups.LogGroups[0].LogGroupArn
	_, tagged := client.TagResource(ctx, &cloudwatchlogs.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"c": "d"}})
	_, cut := client.UntagResource(ctx, &cloudwatchlogs.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"a"}})
	tags, list := client.ListTagsForResource(ctx, &cloudwatchlogs.ListTagsForResourceInput{ResourceArn: arn})
	_, dropped := client.DeleteRetentionPolicy(ctx, &cloudwatchlogs.DeleteRetentionPolicyInput{LogGroupName: name})
	all, _ := client.DescribeLogGroups(ctx, nil)
	_, deleted := client.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: name})
	if err := errors.Join(tagged, cut, list, dropped, deleted); err != nil || len(tags.Tags) != 1 || len(all.LogGroups) != 2 || all.LogGroups[1].RetentionInDays != nil || l.Tags(*arn) != nil {
		t.Errorf("%v, %+v, %+v", err, tags, all)
	}
}

// TestSageMaker_DeleteGroup: a group goes once it has no versions.
func TestSageMaker_DeleteGroup(t *testing.T) {
	l := newLab(t)
	ctx, client, name := t.Context(), sagemaker.NewFromConfig(l.config), aws.String("retail")
	_, err := client.CreateModelPackageGroup(ctx, &sagemaker.CreateModelPackageGroupInput{ModelPackageGroupName: name, Tags: []smtypes.Tag{{Key: aws.String("a"), Value: aws.String("b")}}})
	if err != nil {
		t.Fatal(err)
	}
	arn := aws.String("arn:aws:sagemaker:ap-southeast-1:111122223333:model-package-group/retail")
	if _, err := client.DeleteTags(ctx, &sagemaker.DeleteTagsInput{ResourceArn: arn, TagKeys: []string{"a"}}); err != nil || len(l.Tags(*arn)) != 0 {
		t.Errorf("%v, %v", l.Tags(*arn), err)
	}
	if _, err := client.DeleteModelPackageGroup(ctx, &sagemaker.DeleteModelPackageGroupInput{ModelPackageGroupName: name}); err != nil {
		t.Error(err)
	}
	wantError(t, second(client.DescribeModelPackageGroup(ctx, &sagemaker.DescribeModelPackageGroupInput{ModelPackageGroupName: name})), "ValidationException")
}

// TestCloudWatch_AlarmTags: tags of an alarm that is there.
func TestCloudWatch_AlarmTags(t *testing.T) {
	l := newLab(t)
	ctx, client := t.Context(), cloudwatch.NewFromConfig(l.config)
	_, err := client.PutMetricAlarm(ctx, &cloudwatch.PutMetricAlarmInput{
		AlarmName: aws.String("a"), Namespace: aws.String("Slipway"), MetricName: aws.String("m"), Statistic: cwtypes.StatisticAverage, Period: aws.Int32(60), EvaluationPeriods: aws.Int32(1),
		Threshold: aws.Float64(1), ComparisonOperator: cwtypes.ComparisonOperatorGreaterThanThreshold, Tags: []cwtypes.Tag{{Key: aws.String("a"), Value: aws.String("b")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	arn := aws.String("arn:aws:cloudwatch:ap-southeast-1:111122223333:alarm:a")
	_, tagged := client.TagResource(ctx, &cloudwatch.TagResourceInput{ResourceARN: arn, Tags: []cwtypes.Tag{{Key: aws.String("c"), Value: aws.String("d")}}})
	_, cut := client.UntagResource(ctx, &cloudwatch.UntagResourceInput{ResourceARN: arn, TagKeys: []string{"a"}})
	tags, read := client.ListTagsForResource(ctx, &cloudwatch.ListTagsForResourceInput{ResourceARN: arn})
	if err := errors.Join(tagged, cut, read); err != nil || len(tags.Tags) != 1 || l.AlarmTags("a")["c"] != "d" {
		t.Errorf("%v, %+v, %v", err, tags, l.AlarmTags("a"))
	}
	if _, err := client.DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"a"}}); err != nil || l.Tags(*arn) != nil {
		t.Errorf("%v, %v", l.Tags(*arn), err)
	}
	wantError(t, second(client.ListTagsForResource(ctx, &cloudwatch.ListTagsForResourceInput{ResourceARN: arn})), "ResourceNotFoundException")
}

// TestTagging_GetResources finds by tag what is of every service but roles; what else is of
// IAM in us-east-1 only.
func TestTagging_GetResources(t *testing.T) {
	l := newLab(t)
	owned := map[string]string{"slipway:project": "retail", "slipway:environment": "prod"}
	l.AddTopic("releases")
	l.Tag(topic, owned)
	l.Tag("arn:aws:ecr:ap-southeast-1:111122223333:repository/mlops/retail-api", map[string]string{"slipway:project": "retail"})
	l.Tag("arn:aws:ecr:ap-southeast-1:111122223333:repository/other", map[string]string{"slipway:project": "other"})
	tags := []string{"Tags.member.1.Key", "slipway:project", "Tags.member.1.Value", "retail"}
	l.must(t, "CreateRole", append(tags, "RoleName", "r", "AssumeRolePolicyDocument", trustOfSageMaker))
	l.must(t, "CreatePolicy", append(tags, "PolicyName", "p", "PolicyDocument", rightsOfTopic))
	for _, tt := range []struct{ region, body, want string }{
		{awstest.Region, `{"TagFilters": [{"Key": "slipway:project", "Values": ["retail"]}]}`, "repository/mlops/retail-api sns:ap-southeast-1:111122223333:releases"},
		{awstest.Region, `{"TagFilters": [{"Key": "slipway:project", "Values": ["retail"]}, {"Key": "slipway:environment"}]}`, "sns:ap-southeast-1:111122223333:releases"},
		{awstest.Region, `{"ResourceTypeFilters": ["ecr:repository"]}`, "repository/mlops/retail-api repository/other"},
		{awstest.Region, `{"ResourcesPerPage": 1}`, "repository/mlops/retail-api page-1"},
		{awstest.Region, `{"ResourcesPerPage": 1, "PaginationToken": "page-1"}`, "repository/other page-2"},
		{"us-east-1", `{}`, "policy/p"},
	} {
		out := l.resources(t, tt.region, tt.body)
		for _, want := range strings.Fields(tt.want) {
			if !strings.Contains(out, want) {
				t.Errorf("%s: %s, want %s", tt.body, out, want)
			}
		}
		if n := strings.Count(out, "ResourceARN"); n != strings.Count(tt.want, "repository/")+strings.Count(tt.want, "sns:")+strings.Count(tt.want, "policy/") {
			t.Errorf("%s: %s, want %s", tt.body, out, tt.want)
		}
	}
}

// TestFaults: what goes wrong with a service goes wrong with all of them.
func TestFaults(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	for fault, codes := range map[awstest.Fault][]string{
		awstest.Throttled: {"ThrottlingException", "SlowDown"}, awstest.Unavailable: {"ServiceUnavailable"}, awstest.Denied: {"AccessDenied"}, awstest.ResponseLost: {"EOF"},
	} {
		l.Inject(func(*awstest.Call) awstest.Fault { return fault })
		_, ofTags := l.json(t, "tagging."+awstest.Region+".amazonaws.com", "tagging", awstest.Region, "ResourceGroupsTaggingAPI_20170126.GetResources", "{}")
		for service, err := range map[string]error{
			"ecr": second(ecr.NewFromConfig(l.config).DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RepositoryName: aws.String("ab")})),
			"eks": second(eks.NewFromConfig(l.config).ListAccessEntries(ctx, &eks.ListAccessEntriesInput{ClusterName: aws.String("k")})),
			"s3":  second(s3.NewFromConfig(l.config).DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("abc")})),
			"sns": second(sns.NewFromConfig(l.config).DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: aws.String(topic)})), "tagging": ofTags,
		} {
			if err == nil || !slices.ContainsFunc(codes, func(code string) bool { return strings.Contains(err.Error(), code) }) {
				t.Errorf("%s: %v, want %q", service, err, codes)
			}
		}
	}
}

// TestQuotas: the account's quotas by code, and those of instances by name.
func TestQuotas(t *testing.T) {
	l := newLab(t)
	l.SetServiceQuota(awstest.Quota{Service: "iam", Code: "L-C07B4B0D", Name: "Role trust policy length", Value: 4096})
	l.SetQuota("ml.m5.xlarge", 0)
	host, target := "servicequotas."+awstest.Region+".amazonaws.com", "ServiceQuotasV20190624."
	for _, tt := range []struct{ operation, body, want string }{
		{"GetServiceQuota", `{"ServiceCode": "iam", "QuotaCode": "L-C07B4B0D"}`, `"Value":4096`},
		{"ListServiceQuotas", `{"ServiceCode": "sagemaker"}`, `"QuotaName":"ml.m5.xlarge for training job usage"`},
		{"ListServiceQuotas", `{"ServiceCode": "iam", "MaxResults": 1}`, `"NextToken":"page/1"`},
	} {
		if out, err := l.json(t, host, "servicequotas", awstest.Region, target+tt.operation, tt.body); err != nil || !strings.Contains(out, tt.want) {
			t.Errorf("%s: %s, %v", tt.operation, out, err)
		}
	}
	_, err := l.json(t, host, "servicequotas", awstest.Region, target+"GetServiceQuota", `{"ServiceCode": "iam", "QuotaCode": "L-00000000"}`)
	wantError(t, err, "NoSuchResourceException")
}
