package awstest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

func (c *Cloud) s3Settings() map[string]handler {
	return map[string]handler{
		"CreateBucket": c.createBucket, "DeleteBucket": c.deleteBucket, "GetBucketLocation": c.getBucketLocation,
		"PutBucketEncryption": c.putSetting("ServerSideEncryptionConfiguration"), "GetBucketEncryption": c.getSetting("ServerSideEncryptionConfiguration", "ServerSideEncryptionConfigurationNotFoundError"),
		"PutPublicAccessBlock": c.putSetting("PublicAccessBlockConfiguration"), "GetPublicAccessBlock": c.getSetting("PublicAccessBlockConfiguration", "NoSuchPublicAccessBlockConfiguration"),
		"PutBucketLifecycleConfiguration": c.putBucketLifecycle, "GetBucketLifecycleConfiguration": c.getBucketLifecycle, "DeleteBucketLifecycle": c.deleteSetting("LifecycleConfiguration"),
		"PutBucketVersioning": c.putBucketVersioning, "GetBucketVersioning": c.getBucketVersioning,
		"PutBucketTagging": c.putBucketTagging, "GetBucketTagging": c.getBucketTagging,
		"PutBucketPolicy": c.putBucketPolicy, "GetBucketPolicy": c.getBucketPolicy, "DeleteBucketPolicy": c.deleteBucketPolicy,
	}
}

// TakeBucketName makes a name one that another account has: names are unique in the world.
func (c *Cloud) TakeBucketName(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken[name] = true
}

func bucketARN(name string) string { return "arn:aws:s3:::" + name }

// createBucket makes one as S3 does since 2023: encrypted, and closed to the public.
func (c *Cloud) createBucket(call *Call) (any, error) {
	var in struct {
		Bucket                    string
		CreateBucketConfiguration struct {
			LocationConstraint string
			Tags               []tag
		}
	}
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	location := in.CreateBucketConfiguration.LocationConstraint
	switch {
	case !bucketName(in.Bucket):
		return nil, refuse("InvalidBucketName", "The specified bucket is not valid.")
	case c.taken[in.Bucket]:
		return nil, &Error{Code: "BucketAlreadyExists", Message: "The requested bucket name is not available. The bucket namespace is shared by all users of the system.", Status: http.StatusConflict}
	case c.buckets[in.Bucket] != nil:
		return nil, &Error{Code: "BucketAlreadyOwnedByYou", Message: "Your previous request to create the named bucket succeeded and you already own it.", Status: http.StatusConflict}
	case location == "" && c.Region != "us-east-1" || location != "" && location != c.Region || location == "us-east-1":
		return nil, refuse("IllegalLocationConstraintException", "The %q location constraint is incompatible for the region specific endpoint this request was sent to.", location)
	}
	if err := c.addTags(bucketARN(in.Bucket), in.CreateBucketConfiguration.Tags); err != nil {
		return nil, err
	}
	c.addBucket(Bucket{Name: in.Bucket, Unversioned: true})
	return &s3Output{members: map[string]any{"Location": "http://" + in.Bucket + ".s3.amazonaws.com/"}}, nil
}

// bucketName reports whether S3 takes a name. Source: "General purpose bucket naming rules".
func bucketName(name string) bool {
	edge := func(b byte) bool { return b >= 'a' && b <= 'z' || b >= '0' && b <= '9' }
	if len(name) < 3 || len(name) > 63 || !edge(name[0]) || !edge(name[len(name)-1]) || strings.Contains(name, "..") {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == ""
}

// newSettings are those of every new bucket.
func newSettings() map[string]map[string]any {
	return map[string]map[string]any{
		"ServerSideEncryptionConfiguration": {"Rules": []any{map[string]any{"ApplyServerSideEncryptionByDefault": map[string]any{"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": false}}},
		"PublicAccessBlockConfiguration":    {"BlockPublicAcls": true, "IgnorePublicAcls": true, "BlockPublicPolicy": true, "RestrictPublicBuckets": true},
	}
}

func (c *Cloud) deleteBucket(call *Call) (any, error) {
	b, _, err := c.bucketOf(call)
	if err != nil {
		return nil, err
	}
	if len(b.objects) > 0 {
		return nil, &Error{Code: "BucketNotEmpty", Message: "The bucket you tried to delete is not empty. You must delete all versions in the bucket.", Status: http.StatusConflict}
	}
	delete(c.buckets, b.Name)
	delete(c.tags, bucketARN(b.Name))
	return &s3Output{}, nil
}

func (c *Cloud) getBucketLocation(call *Call) (any, error) {
	b, _, err := c.bucketOf(call)
	if err != nil {
		return nil, err
	}
	location := b.Region
	if location == "us-east-1" {
		location = ""
	}
	return &s3Output{body: []byte(`<?xml version="1.0" encoding="UTF-8"?><LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` + escaped(location) + `</LocationConstraint>`)}, nil
}

// putSetting keeps what a member of the input says of the bucket.
func (c *Cloud) putSetting(member string) handler {
	return func(call *Call) (any, error) {
		b, _, err := c.bucketOf(call)
		if err != nil {
			return nil, err
		}
		b.settings[member], _ = call.Input[member].(map[string]any)
		return &s3Output{}, nil
	}
}

// getSetting answers with a structure of that name, or with the code if there is none.
func (c *Cloud) getSetting(member, code string) handler {
	return func(call *Call) (any, error) {
		b, _, err := c.bucketOf(call)
		if err != nil {
			return nil, err
		}
		if b.settings[member] == nil {
			return nil, &Error{Code: code, Message: "The configuration was not found", Status: http.StatusNotFound}
		}
		return &s3Output{body: s3XML(call.Service, member, member, b.settings[member])}, nil
	}
}

func (c *Cloud) deleteSetting(member string) handler {
	return func(call *Call) (any, error) {
		b, _, err := c.bucketOf(call)
		if err != nil {
			return nil, err
		}
		delete(b.settings, member)
		return &s3Output{}, nil
	}
}

// putBucketLifecycle requires that each rule says what it is about and does something.
func (c *Cloud) putBucketLifecycle(call *Call) (any, error) {
	config, _ := call.Input["LifecycleConfiguration"].(map[string]any)
	rules, _ := config["Rules"].([]any)
	for _, one := range rules {
		rule, _ := one.(map[string]any)
		acts := slices.ContainsFunc([]string{"Expiration", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload", "Transitions", "NoncurrentVersionTransitions"}, func(member string) bool { return rule[member] != nil })
		if (rule["Filter"] == nil) == (rule["Prefix"] == nil) || !acts {
			return nil, refuse("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
		}
	}
	return c.putSetting("LifecycleConfiguration")(call)
}

func (c *Cloud) getBucketLifecycle(call *Call) (any, error) {
	b, _, err := c.bucketOf(call)
	if err != nil {
		return nil, err
	}
	if b.settings["LifecycleConfiguration"] == nil {
		return nil, &Error{Code: "NoSuchLifecycleConfiguration", Message: "The lifecycle configuration does not exist", Status: http.StatusNotFound}
	}
	return &s3Output{members: b.settings["LifecycleConfiguration"]}, nil
}

func (c *Cloud) putBucketVersioning(call *Call) (any, error) {
	b, _, err := c.bucketOf(call)
	if err != nil {
		return nil, err
	}
	config, _ := call.Input["VersioningConfiguration"].(map[string]any)
	b.Unversioned, b.suspended = config["Status"] != "Enabled", config["Status"] == "Suspended"
	return &s3Output{}, nil
}

func (c *Cloud) getBucketVersioning(call *Call) (any, error) {
	b, _, err := c.bucketOf(call)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	switch {
	case !b.Unversioned:
		out["Status"] = "Enabled"
	case b.suspended:
		out["Status"] = "Suspended"
	}
	return &s3Output{members: out}, nil
}

// putBucketTagging replaces all tags.
func (c *Cloud) putBucketTagging(call *Call) (any, error) {
	var in struct{ Tagging struct{ TagSet []tag } }
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	b, _, err := c.bucketOf(call)
	if err != nil {
		return nil, err
	}
	arn := bucketARN(b.Name)
	delete(c.tags, arn)
	return &s3Output{status: http.StatusNoContent}, c.addTags(arn, in.Tagging.TagSet)
}

func (c *Cloud) getBucketTagging(call *Call) (any, error) {
	b, _, err := c.bucketOf(call)
	if err != nil {
		return nil, err
	}
	set := []any{}
	for _, t := range c.tagList(bucketARN(b.Name)) {
		set = append(set, map[string]any{"Key": t.Key, "Value": t.Value})
	}
	if len(set) == 0 {
		return nil, &Error{Code: "NoSuchTagSet", Message: "The TagSet does not exist", Status: http.StatusNotFound}
	}
	return &s3Output{members: map[string]any{"TagSet": set}}, nil
}

// checkBucketPolicy requires that a bucket's policy is about the bucket, and lets nobody
// of the public in where that is blocked.
func (b *Bucket) checkPolicy(text string) (Policy, error) {
	p, err := ParsePolicy(text)
	if err != nil {
		return p, refuse("MalformedPolicy", "Policies must be valid JSON and the first byte must be '{' (%v)", err)
	}
	block := b.settings["PublicAccessBlockConfiguration"]
	for _, s := range p.Statement {
		if len(s.Principal) == 0 {
			return p, refuse("MalformedPolicy", "Missing required field Principal")
		}
		for _, resource := range s.Resource {
			if resource != bucketARN(b.Name) && !strings.HasPrefix(resource, bucketARN(b.Name)+"/") {
				return p, refuse("MalformedPolicy", "Policy has invalid resource")
			}
		}
		if s.Effect == "Allow" && slices.Contains(s.Principal["AWS"], "*") && len(s.Condition) == 0 && fmt.Sprint(block["BlockPublicPolicy"]) == "true" {
			return p, &Error{Code: "AccessDenied", Message: "because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.", Status: http.StatusForbidden}
		}
	}
	return p, nil
}

func (c *Cloud) putBucketPolicy(call *Call) (any, error) {
	b, _, err := c.bucketOf(call)
	if err != nil {
		return nil, err
	}
	p, err := b.checkPolicy(call.text("Policy"))
	if err != nil {
		return nil, err
	}
	b.policy, b.policyText = &p, call.text("Policy")
	return &s3Output{status: http.StatusNoContent}, nil
}

func (c *Cloud) getBucketPolicy(call *Call) (any, error) {
	b, _, err := c.bucketOf(call)
	if err != nil {
		return nil, err
	}
	if b.policy == nil {
		return nil, &Error{Code: "NoSuchBucketPolicy", Message: "The bucket policy does not exist", Status: http.StatusNotFound}
	}
	return &s3Output{body: []byte(b.policyText)}, nil
}

func (c *Cloud) deleteBucketPolicy(call *Call) (any, error) {
	b, _, err := c.bucketOf(call)
	if err != nil {
		return nil, err
	}
	b.policy, b.policyText = nil, ""
	return &s3Output{}, nil
}

// authorizeBucket applies what a bucket's own policy denies. What it allows beyond the
// rights of who calls is not looked at: everybody here is of one account.
func (c *Cloud) authorizeBucket(call *Call) error {
	b := c.buckets[call.text("Bucket")]
	if call.Service.Name != "s3" || b == nil || b.policy == nil {
		return nil
	}
	for _, need := range c.accessOf(call) {
		keys := map[string][]string{"aws:SecureTransport": {fmt.Sprint(call.Request.TLS != nil)}, "aws:PrincipalArn": {call.Principal.ARN}, "aws:PrincipalAccount": {c.Account}}
		for key, values := range need.Keys {
			keys[key] = values
		}
		if b.policy.denies(c.principalNames(call.Principal), Access{need.Action, need.Resource, keys}) {
			return &Error{Code: "AccessDenied", Status: http.StatusForbidden, Message: fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %q with an explicit deny in a resource-based policy", call.Principal.ARN, need.Action, need.Resource)}
		}
	}
	return nil
}
