package resources

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/fault"
)

var iamAPI = session.API{Name: "iam", Version: "2010-05-08", Global: true}

// codes of IAM for what is there already, and what is not.
const (
	iamExists  = "EntityAlreadyExists"
	iamMissing = "NoSuchEntity"
)

// iam calls IAM. in has names and values in turn.
func (a *Account) iam(ctx context.Context, action, operation string, in url.Values, out any, expected ...string) (code string, err error) {
	return a.query(ctx, action, iamAPI, operation, in, out, expected...)
}

// form writes names and values, in turn, as the Query protocol has them.
func form(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

// withTags adds tags as the Query protocol has lists.
func withTags(v url.Values, tags map[string]string) url.Values {
	for i, key := range slices.Sorted(maps.Keys(tags)) {
		v.Set(fmt.Sprintf("Tags.member.%d.Key", i+1), key)
		v.Set(fmt.Sprintf("Tags.member.%d.Value", i+1), tags[key])
	}
	return v
}

// roleDetail is a role as GetAccountAuthorizationDetails has it.
type roleDetail struct {
	RoleName, Arn, Path      string
	CreateDate               time.Time
	AssumeRolePolicyDocument string
	Inline                   []inlinePolicy   `xml:"RolePolicyList>member"`
	Attached                 []attachedPolicy `xml:"AttachedManagedPolicies>member"`
	PermissionsBoundary      struct{ PermissionsBoundaryArn string }
	Tags                     []tag `xml:"Tags>member"`
}

type inlinePolicy struct{ PolicyName, PolicyDocument string }

type attachedPolicy struct{ PolicyName, PolicyArn string }

// policyDetail is a policy of the account, as GetAccountAuthorizationDetails has it.
type policyDetail struct {
	PolicyName, Arn, DefaultVersionId string
	Versions                          []policyVersion `xml:"PolicyVersionList>member"`
}

type policyVersion struct {
	Document, VersionId string
	IsDefaultVersion    bool
	CreateDate          time.Time
}

// roles are the roles and the policies of the account.
type roles struct {
	byName   map[string]roleDetail
	policies map[string]policyDetail // by ARN
}

// details reads them once, until something of them is changed.
func (a *Account) details(ctx context.Context) (*roles, error) {
	a.mu.Lock()
	known := a.roles
	a.mu.Unlock()
	if known != nil {
		return known, nil
	}
	found := &roles{byName: map[string]roleDetail{}, policies: map[string]policyDetail{}}
	in := form("Filter.member.1", "Role", "Filter.member.2", "LocalManagedPolicy", "Filter.member.3", "AWSManagedPolicy", "MaxItems", "200")
	for range maxPages {
		var out struct {
			IsTruncated bool
			Marker      string
			Roles       []roleDetail   `xml:"RoleDetailList>member"`
			Policies    []policyDetail `xml:"Policies>member"`
		}
		if _, err := a.iam(ctx, "read the roles of the account", "GetAccountAuthorizationDetails", in, &out); err != nil {
			return nil, err
		}
		for _, r := range out.Roles {
			found.byName[r.RoleName] = r
		}
		for _, p := range out.Policies {
			found.policies[p.Arn] = p
		}
		if !out.IsTruncated {
			a.mu.Lock()
			a.roles = found
			a.mu.Unlock()
			return found, nil
		}
		in.Set("Marker", out.Marker)
	}
	return nil, errTooManyPages
}

// forget makes the next reader ask again.
func (a *Account) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.roles = nil
}

// document is a policy as IAM sends it: escaped as in a URL.
func document(text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	plain, err := url.PathUnescape(text)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "read a policy that IAM returned").Cause(err)
	}
	return []byte(plain), nil
}

// pathOf is the path of a role or policy: "/teams/" of ".../role/teams/deploy".
func pathOf(arn string) string {
	_, path, ok := strings.Cut(arn, "/")
	i := strings.LastIndexByte(path, '/')
	if !ok || i < 0 {
		return ""
	}
	return "/" + path[:i+1]
}

// policyText is a document as IAM takes it.
func policyText(d account.Document) (string, error) {
	raw, err := d.MarshalJSON()
	return string(raw), err
}
