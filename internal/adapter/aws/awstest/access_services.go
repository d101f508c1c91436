package awstest

import (
	"fmt"
	"strings"
)

// s3Actions are the actions of operations of S3 that have another name. Source: the
// Service Authorization Reference of S3.
var s3Actions = map[string]string{
	"HeadObject": "GetObject", "CreateMultipartUpload": "PutObject", "UploadPart": "PutObject", "CompleteMultipartUpload": "PutObject",
	"HeadBucket": "ListBucket", "ListObjectsV2": "ListBucket", "ListObjectVersions": "ListBucketVersions",
	"PutBucketEncryption": "PutEncryptionConfiguration", "GetBucketEncryption": "GetEncryptionConfiguration",
	"PutPublicAccessBlock": "PutBucketPublicAccessBlock", "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
	"PutBucketLifecycleConfiguration": "PutLifecycleConfiguration", "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration", "DeleteBucketLifecycle": "PutLifecycleConfiguration",
}

// s3Needs: actions on objects, or on the bucket for an operation without a key.
func (c *Cloud) s3Needs(call *Call) ([]Access, bool) {
	action := call.Operation.Name
	if other, ok := s3Actions[action]; ok {
		action = other
	}
	if (action == "GetObject" || action == "DeleteObject") && call.text("VersionId") != "" {
		action += "Version"
	}
	resource := bucketARN(call.text("Bucket"))
	if action == "DeleteObjects" {
		return deletionNeeds(call, resource), true
	}
	keys := map[string][]string{}
	if key := call.text("Key"); key != "" {
		resource += "/" + key
	}
	if prefix := call.text("Prefix"); prefix != "" {
		keys["s3:prefix"] = []string{prefix}
	}
	if value := call.text("IfNoneMatch"); value != "" {
		keys["s3:if-none-match"] = []string{value}
	}
	all := []Access{{Action: "s3:" + action, Resource: resource, Keys: keys}}
	if config, _ := call.Input["CreateBucketConfiguration"].(map[string]any); config["Tags"] != nil {
		tagging := &Call{Input: map[string]any{"Tags": config["Tags"]}}
		c.withTags(keys, tagging, resource)
		all = append(all, Access{Action: "s3:TagResource", Resource: resource, Keys: keys})
	}
	return all, call.text("Bucket") != ""
}

// deletionNeeds: each object, and its versions by an action of their own.
func deletionNeeds(call *Call, bucket string) (all []Access) {
	deletion, _ := call.Input["Delete"].(map[string]any)
	objects, _ := deletion["Objects"].([]any)
	for _, one := range objects {
		o, _ := one.(map[string]any)
		action := "s3:DeleteObject"
		if o["VersionId"] != nil {
			action += "Version"
		}
		all = append(all, Access{Action: action, Resource: fmt.Sprint(bucket, "/", o["Key"])})
	}
	return all
}

// logsNeeds: streams have ARNs of their own.
func (c *Cloud) logsNeeds(call *Call) ([]Access, bool) {
	if arn := call.text("resourceArn"); arn != "" {
		return c.tagged(call, arn, ""), true
	}
	group := call.text("logGroupName")
	resource := c.arn("logs", "log-group:"+group)
	switch stream := call.text("logStreamName"); call.Operation.Name {
	case "CreateLogStream", "PutLogEvents", "GetLogEvents":
		resource += ":log-stream:" + stream
	}
	return c.tagged(call, resource, "TagResource"), group != ""
}

// cloudwatchNeeds: alarms have ARNs, and metrics a namespace. Composite alarms are shown to
// those only who may describe all. Source: the Service Authorization Reference, and
// DescribeAlarms in the API reference.
func (c *Cloud) cloudwatchNeeds(call *Call) ([]Access, bool) {
	action, names := "cloudwatch:"+call.Operation.Name, []any{}
	switch call.Operation.Name {
	case "PutMetricAlarm":
		names = append(names, call.text("AlarmName"))
	case "ListTagsForResource", "TagResource", "UntagResource":
		return c.tagged(call, call.text("ResourceARN"), ""), true
	case "DeleteAlarms":
		names, _ = call.Input["AlarmNames"].([]any)
	default:
		keys := map[string][]string{}
		if namespace := call.text("Namespace"); namespace != "" {
			keys["cloudwatch:namespace"] = []string{namespace}
		}
		return []Access{{Action: action, Resource: "*", Keys: keys}}, true
	}
	tags, _ := call.Input["Tags"].([]any)
	var all []Access
	for _, name := range names {
		arn := c.arn("cloudwatch", fmt.Sprint("alarm:", name))
		keys := c.withTags(map[string][]string{}, call, arn)
		all = append(all, Access{Action: action, Resource: arn, Keys: keys})
		if len(tags) > 0 {
			all = append(all, Access{Action: "cloudwatch:TagResource", Resource: arn, Keys: keys})
		}
	}
	return all, true
}

// sagemakerNames are the members that name what an operation is about.
var sagemakerNames = map[string]string{
	"TrainingJobName": "training-job", "ProcessingJobName": "processing-job", "ModelPackageGroupName": "model-package-group", "ModelName": "model",
}

// sagemakerNeeds: tags and roles that are passed need more than the operation's action.
func (c *Cloud) sagemakerNeeds(call *Call) ([]Access, bool) {
	resource, keys := "", map[string][]string{}
	if arn := call.text("ModelPackageArn"); arn != "" {
		resource = arn
	} else if name := call.text("ModelPackageName"); strings.HasPrefix(name, "arn:") {
		resource = name
	} else if arn := call.text("ResourceArn"); arn != "" {
		resource = arn
	}
	for member, kind := range sagemakerNames {
		if name := call.text(member); name != "" && resource == "" {
			resource = c.arn("sagemaker", kind+"/"+strings.ToLower(name))
		}
	}
	if status := call.text("ModelApprovalStatus"); status != "" {
		keys["sagemaker:ModelApprovalStatus"] = []string{status}
	}
	switch call.Operation.Name {
	case "CreateModelPackage": // of a group: the number is not known yet
		resource = c.arn("sagemaker", "model-package/"+strings.ToLower(call.text("ModelPackageGroupName"))+"/*")
	case "ListModelPackages", "ListTrainingJobs":
		resource = "*"
	}
	if resource == "" {
		return nil, false
	}
	c.withTags(keys, call, resource)
	all := []Access{{Action: "sagemaker:" + call.Operation.Name, Resource: resource, Keys: keys}}
	if tags, _ := call.Input["Tags"].([]any); len(tags) > 0 && call.Operation.Name != "AddTags" {
		tagging := c.withTags(map[string][]string{"sagemaker:TaggingAction": {call.Operation.Name}}, call, resource)
		all = append(all, Access{Action: "sagemaker:AddTags", Resource: resource, Keys: tagging})
	}
	for _, member := range []string{"RoleArn", "ExecutionRoleArn"} {
		if role := call.text(member); role != "" {
			all = append(all, Access{Action: "iam:PassRole", Resource: role, Keys: map[string][]string{"iam:PassedToService": {"sagemaker.amazonaws.com"}}})
		}
	}
	jobKeys(call, all[0].Keys)
	return all, true
}

// jobKeys are the condition keys of a job: what it runs on, and how long at most.
func jobKeys(call *Call, keys map[string][]string) {
	config, _ := call.Input["ResourceConfig"].(map[string]any)
	if resources, _ := call.Input["ProcessingResources"].(map[string]any); resources != nil {
		config, _ = resources["ClusterConfig"].(map[string]any)
	}
	types, _ := config["InstancePreferences"].([]any)
	for _, one := range append([]any{config}, types...) {
		if of, _ := one.(map[string]any); of["InstanceType"] != nil {
			keys["sagemaker:InstanceTypes"] = append(keys["sagemaker:InstanceTypes"], fmt.Sprint(of["InstanceType"]))
		}
	}
	if stop, _ := call.Input["StoppingCondition"].(map[string]any); stop["MaxRuntimeInSeconds"] != nil {
		keys["sagemaker:MaxRuntimeInSeconds"] = []string{fmt.Sprint(stop["MaxRuntimeInSeconds"])}
	}
}

// eventsNeeds: each entry may be for another bus.
func (c *Cloud) eventsNeeds(call *Call) ([]Access, bool) {
	entries, _ := call.Input["Entries"].([]any)
	var all []Access
	for _, e := range entries {
		entry, _ := e.(map[string]any)
		text := func(member string) string { value, _ := entry[member].(string); return value }
		keys := map[string][]string{"events:source": {text("Source")}, "events:detail-type": {text("DetailType")}}
		all = append(all, Access{Action: "events:" + call.Operation.Name, Resource: c.busARN(text("EventBusName")), Keys: keys})
	}
	return all, len(all) > 0
}
