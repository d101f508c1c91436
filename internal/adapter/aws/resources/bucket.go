package resources

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strings"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// bucket looks after buckets of S3.
type bucket struct{ *Account }

var _ port.Account = bucket{}

// Read implements port.Account.
func (p bucket) Read(ctx context.Context, want account.Resource) (*account.Observed, error) {
	action := "read the " + want.Title()
	code, err := p.s3(ctx, action, call{operation: "HeadBucket", method: http.MethodHead, bucket: want.Name}, nil, "HTTP 404", "NotFound", "NoSuchBucket")
	if err != nil || code != "" {
		return nil, err
	}
	o := &account.Observed{Resource: account.Resource{Kind: account.KindBucket, Name: want.Name, ARN: p.bucketARN(want.Name), Data: true, Shared: want.Shared}}
	var spec account.Bucket
	differ := func(path, have, want string) {
		o.Others = append(o.Others, account.Difference{Path: path, Have: have, Want: want})
	}
	err = all(
		func() (err error) { o.Tags, err = p.tags(ctx, action, want.Name); return err },
		func() (err error) { spec.Versioned, err = p.versioned(ctx, action, want.Name); return err },
		func() (err error) { spec.Expire, err = p.expire(ctx, action, want.Name, differ); return err },
		func() error { return p.readEncryption(ctx, action, want.Name, differ) },
		func() error { return p.readPublicAccess(ctx, action, want.Name, differ) },
		func() error { return p.readTLS(ctx, action, want.Name, differ) },
	)
	o.Spec = spec
	return o, err
}

// bucketARN is the ARN of a bucket in the account's partition.
func (p bucket) bucketARN(name string) string {
	return "arn:" + extension.PartitionOf(p.at.Region) + ":s3:::" + name
}

// tagSet is tags in XML.
type tagSet struct {
	Tags []tag `xml:"TagSet>Tag"`
}

// createConfiguration is how a bucket is made: with its tags, so that it is known as the
// project's from its first instant.
type createConfiguration struct {
	XMLName  xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CreateBucketConfiguration"`
	Location string   `xml:"LocationConstraint,omitempty"` // us-east-1 has none
	Tags     []tag    `xml:"Tags>Tag"`
}

// Create implements port.Account.
func (p bucket) Create(ctx context.Context, want account.Resource, tags map[string]string) error {
	in := createConfiguration{Tags: tagList(tags)}
	if p.at.Region != "us-east-1" {
		in.Location = p.at.Region
	}
	return createInSteps(ctx, p, want, tags, func() (string, error) {
		exists, err := p.s3(ctx, "make the "+want.Title(), call{operation: "CreateBucket", method: http.MethodPut, bucket: want.Name, in: in}, nil, "BucketAlreadyOwnedByYou")
		if err != nil && strings.Contains(err.Error(), "BucketAlreadyExists") {
			return "", fault.New(fault.Conflict, "the %s belongs to another account", want.Title()).Hint("names of buckets are the whole world's: choose another one in slipway.yaml")
		}
		return exists, err
	}, func() error { return p.secure(ctx, want) })
}

// secure sets all that a bucket is to be, whatever it is.
func (p bucket) secure(ctx context.Context, want account.Resource) error {
	spec, err := account.SpecOf[account.Bucket](want)
	if err != nil {
		return err
	}
	action := "secure the " + want.Title()
	put := func(operation, what string, in any) func() error {
		return func() error {
			_, err := p.s3(ctx, action, call{operation: operation, method: http.MethodPut, bucket: want.Name, query: what, in: in}, nil)
			return err
		}
	}
	return all(
		put("PutPublicAccessBlock", "publicAccessBlock", closed()),
		put("PutBucketEncryption", "encryption", encrypted()),
		put("PutBucketVersioning", "versioning", versioning{Status: map[bool]string{true: "Enabled", false: "Suspended"}[spec.Versioned]}),
		func() error { return p.requireTLS(ctx, action, want.Name) },
		func() error { return p.putExpire(ctx, action, want.Name, spec.Expire) },
	)
}

// Update implements port.Account.
func (p bucket) Update(ctx context.Context, want account.Resource, tags map[string]string) error {
	action := "tag the " + want.Title()
	return all(func() error {
		now, err := p.tags(ctx, action, want.Name)
		if err != nil {
			return err
		}
		if now == nil {
			now = map[string]string{}
		}
		for key, value := range tags { // PutBucketTagging replaces them all
			now[key] = value
		}
		in := struct {
			XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ Tagging"`
			tagSet
		}{tagSet: tagSet{tagList(now)}}
		_, err = p.s3(ctx, action, call{operation: "PutBucketTagging", method: http.MethodPut, bucket: want.Name, query: "tagging", in: in}, nil)
		return err
	}, func() error { return p.secure(ctx, want) })
}

// Owned implements port.Account.
func (p bucket) Owned(ctx context.Context, of account.Set) ([]account.Observed, error) {
	return p.ownedByTag(ctx, p, account.KindBucket, "s3", ":::", of)
}

// bucketPolicy is a policy whose statements of others are kept as they are.
type bucketPolicy struct {
	Version   string
	ID        string `json:"Id,omitempty"`
	Statement []json.RawMessage
}
