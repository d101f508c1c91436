package resources

import (
	"context"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/fault"
)

// rule is one of a bucket's lifecycle.
type rule struct {
	ID     string
	Status string
	Filter struct {
		Prefix string
	}
	Expiration *struct {
		Days int
	} `xml:",omitempty"`
}

// rulePrefix begins the ID of a rule that Slipway made.
const rulePrefix = "slipway "

// expire reads after how many days objects below prefixes go. Every other rule that is
// enabled is one that is not to be there: it may take the models that a release needs.
func (p bucket) expire(ctx context.Context, action, name string, differ differ) (map[string]int, error) {
	var out struct {
		Rules []rule `xml:"Rule"`
	}
	if found, err := p.get(ctx, action, name, "GetBucketLifecycleConfiguration", "lifecycle", &out, "NoSuchLifecycleConfiguration"); err != nil || !found {
		return nil, err
	}
	days := map[string]int{}
	for _, r := range out.Rules {
		switch {
		case r.Status != "Enabled":
		case strings.HasPrefix(r.ID, rulePrefix) && r.Expiration != nil:
			days[r.Filter.Prefix] = r.Expiration.Days
		default:
			differ("lifecycle", "the rule "+r.ID, "")
		}
	}
	return days, nil
}

func (p bucket) putExpire(ctx context.Context, action, name string, days map[string]int) error {
	if len(days) == 0 {
		_, err := p.s3(ctx, action, call{operation: "DeleteBucketLifecycle", method: http.MethodDelete, bucket: name, query: "lifecycle"}, nil)
		return err
	}
	in := struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ LifecycleConfiguration"`
		Rules   []rule   `xml:"Rule"`
	}{}
	for _, prefix := range slices.Sorted(maps.Keys(days)) {
		r := rule{ID: rulePrefix + prefix, Status: "Enabled", Expiration: &struct{ Days int }{days[prefix]}}
		r.Filter.Prefix = prefix
		in.Rules = append(in.Rules, r)
	}
	_, err := p.s3(ctx, action, call{operation: "PutBucketLifecycleConfiguration", method: http.MethodPut, bucket: name, query: "lifecycle", in: in}, nil)
	return err
}

// version is a version of an object, or a marker that it was deleted.
type version struct {
	Key       string
	VersionID string `xml:"VersionId"`
}

// maxObjects bounds how many versions are deleted with a bucket.
const maxObjects = 1_000_000

// Delete implements port.Account. A bucket with objects can't be deleted: all their
// versions go first.
func (p bucket) Delete(ctx context.Context, r account.Resource) error {
	action := "delete the " + r.Title()
	for deleted := 0; deleted < maxObjects; {
		var out struct {
			Versions []version `xml:"Version"`
			Markers  []version `xml:"DeleteMarker"`
		}
		code, err := p.s3(ctx, action, call{operation: "ListObjectVersions", method: http.MethodGet, bucket: r.Name, query: "versions"}, &out, "NoSuchBucket")
		if err != nil || code != "" {
			return err
		}
		gone := slices.Concat(out.Versions, out.Markers)
		if len(gone) == 0 {
			_, err := p.s3(ctx, action, call{operation: "DeleteBucket", method: http.MethodDelete, bucket: r.Name}, nil, "NoSuchBucket")
			return err
		}
		if err := p.deleteVersions(ctx, action, r.Name, gone); err != nil {
			return err
		}
		deleted += len(gone)
	}
	return fault.New(fault.Invalid, "%s: it has more than %d versions of objects", action, maxObjects).
		Hint("run it again, or let a lifecycle rule of the bucket delete them")
}

func (p bucket) deleteVersions(ctx context.Context, action, name string, all []version) error {
	in := struct {
		XMLName xml.Name  `xml:"http://s3.amazonaws.com/doc/2006-03-01/ Delete"`
		Objects []version `xml:"Object"`
		Quiet   bool
	}{Objects: all, Quiet: true}
	var out struct {
		Errors []struct{ Key, Code, Message string } `xml:"Error"`
	}
	if _, err := p.s3(ctx, action, call{operation: "DeleteObjects", method: http.MethodPost, bucket: name, more: url.Values{"delete": {""}}, in: in}, &out); err != nil {
		return err
	}
	if len(out.Errors) > 0 {
		e := out.Errors[0]
		kind := fault.Failed
		if e.Code == "AccessDenied" {
			kind = fault.Denied
		}
		return fault.New(kind, "%s", fmt.Sprintf("%s: %s: %s: %s", action, e.Key, e.Code, e.Message)).Hint("add s3:DeleteObjectVersion on its objects to the policy of the role")
	}
	return nil
}
