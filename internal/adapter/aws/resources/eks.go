package resources

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/port"
)

var eksAPI = session.API{Name: "eks"}

const (
	eksMissing = "ResourceNotFoundException"
	eksExists  = "ResourceInUseException"
)

// eks calls EKS: path has the parts, which are escaped here.
func (a *Account) eks(ctx context.Context, action, operation, method string, path []string, query url.Values, in, out any, expected ...string) (code string, err error) {
	var b strings.Builder
	for _, part := range path {
		b.WriteString("/" + url.PathEscape(part))
	}
	return a.do(ctx, action, func(s *session.Session) error {
		return s.REST(ctx, eksAPI, operation, method, b.String(), query, in, out)
	}, expected...)
}

func (a *Account) tagEKS(ctx context.Context, action, arn string, tags map[string]string) error {
	_, err := a.eks(ctx, action, "TagResource", http.MethodPost, []string{"tags", arn}, nil, map[string]any{"tags": tags}, nil)
	return err
}

// clustersOf are the clusters that a set names.
func clustersOf(set account.Set) (names []string) {
	for _, r := range set.Resources {
		name := ""
		switch s := r.Spec.(type) {
		case account.AccessEntry:
			name = s.Cluster
		case account.PodIdentity:
			name = s.Cluster
		}
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// accessEntry looks after who roles are in a cluster.
type accessEntry struct{ *Account }

var _ port.Account = accessEntry{}

// made are the differences of an entry that is older than its role: EKS goes by the
// role's number, so that a role that was made again is a stranger.
func made(at time.Time, r roleDetail) []account.Difference {
	if r.CreateDate.IsZero() || !at.Before(r.CreateDate) {
		return nil
	}
	return []account.Difference{{Path: "created", Have: at.UTC().Format(time.RFC3339) + ", before its role", Want: "after " + r.CreateDate.UTC().Format(time.RFC3339)}}
}

// Read implements port.Account.
func (p accessEntry) Read(ctx context.Context, want account.Resource) (*account.Observed, error) {
	spec, err := account.SpecOf[account.AccessEntry](want)
	if err != nil {
		return nil, err
	}
	var out struct {
		AccessEntry struct {
			AccessEntryArn   string
			KubernetesGroups []string
			CreatedAt        float64 // seconds since 1970
			Tags             map[string]string
		}
	}
	action := "read the " + want.Title()
	path := []string{"clusters", spec.Cluster, "access-entries", spec.Principal}
	code, err := p.eks(ctx, action, "DescribeAccessEntry", http.MethodGet, path, nil, nil, &out, eksMissing)
	if err != nil || code != "" {
		return nil, err
	}
	e := out.AccessEntry
	spec.Groups = slices.Sorted(slices.Values(e.KubernetesGroups))
	o := &account.Observed{Resource: account.Resource{Kind: account.KindAccessEntry, Name: want.Name, ARN: e.AccessEntryArn, Spec: spec}, Tags: e.Tags}
	known, err := p.details(ctx)
	if err != nil {
		return nil, err
	}
	o.Others = made(time.UnixMilli(int64(e.CreatedAt*1000)), known.byName[lastOf(spec.Principal)])
	more, err := p.policies(ctx, action, path)
	o.Others = append(o.Others, more...)
	return o, err
}

func lastOf(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// policies are EKS's own access policies of an entry: more than its groups may.
func (p accessEntry) policies(ctx context.Context, action string, path []string) (found []account.Difference, err error) {
	query := url.Values{}
	for range maxPages {
		var out struct {
			NextToken                string
			AssociatedAccessPolicies []struct{ PolicyArn string }
		}
		code, err := p.eks(ctx, action, "ListAssociatedAccessPolicies", http.MethodGet, append(slices.Clone(path), "access-policies"), query, nil, &out, eksMissing)
		if err != nil || code != "" {
			return nil, err
		}
		for _, policy := range out.AssociatedAccessPolicies {
			found = append(found, account.Difference{Path: "policies", Have: policy.PolicyArn})
		}
		if out.NextToken == "" {
			return found, nil
		}
		query.Set("nextToken", out.NextToken)
	}
	return nil, errTooManyPages
}

// Create implements port.Account.
func (p accessEntry) Create(ctx context.Context, want account.Resource, tags map[string]string) error {
	spec, err := account.SpecOf[account.AccessEntry](want)
	if err != nil {
		return err
	}
	in := map[string]any{"principalArn": spec.Principal, "kubernetesGroups": spec.Groups, "tags": tags}
	code, err := p.eks(ctx, "make the "+want.Title(), "CreateAccessEntry", http.MethodPost, []string{"clusters", spec.Cluster, "access-entries"}, nil, in, nil, eksExists)
	if err != nil || code == "" {
		return err
	}
	return create(ctx, p, want, tags)
}

// Update implements port.Account. An entry that is older than its role is made again.
func (p accessEntry) Update(ctx context.Context, want account.Resource, tags map[string]string) error {
	spec, err := account.SpecOf[account.AccessEntry](want)
	if err != nil {
		return err
	}
	have, err := p.Read(ctx, want)
	if err != nil {
		return err
	}
	if have == nil {
		return p.Create(ctx, want, tags)
	}
	if slices.ContainsFunc(have.Others, func(d account.Difference) bool { return d.Path == "created" }) {
		return all(func() error { return p.Delete(ctx, want) }, func() error { return p.Create(ctx, want, tags) })
	}
	action, path := "change the "+want.Title(), []string{"clusters", spec.Cluster, "access-entries", spec.Principal}
	steps := []func() error{
		func() error { return p.tagEKS(ctx, action, have.ARN, tags) },
		func() error {
			_, err := p.eks(ctx, action, "UpdateAccessEntry", http.MethodPost, path, nil, map[string]any{"kubernetesGroups": spec.Groups}, nil)
			return err
		},
	}
	for _, d := range have.Others {
		steps = append(steps, func() error {
			_, err := p.eks(ctx, action, "DisassociateAccessPolicy", http.MethodDelete, append(slices.Clone(path), "access-policies", d.Have), nil, nil, nil, eksMissing)
			return err
		})
	}
	return all(steps...)
}

// Delete implements port.Account.
func (p accessEntry) Delete(ctx context.Context, r account.Resource) error {
	spec, err := account.SpecOf[account.AccessEntry](r)
	if err != nil {
		return err
	}
	_, err = p.eks(ctx, "delete the "+r.Title(), "DeleteAccessEntry", http.MethodDelete, []string{"clusters", spec.Cluster, "access-entries", spec.Principal}, nil, nil, nil, eksMissing)
	return err
}

// Owned implements port.Account. Only the clusters of the set are looked at.
func (p accessEntry) Owned(ctx context.Context, of account.Set) (found []account.Observed, err error) {
	for _, cluster := range clustersOf(of) {
		query := url.Values{"maxResults": {"100"}}
		for page := 0; ; page++ {
			if page == maxPages {
				return nil, errTooManyPages
			}
			var out struct {
				AccessEntries []string
				NextToken     string
			}
			code, err := p.eks(ctx, "list the access entries of "+cluster, "ListAccessEntries", http.MethodGet, []string{"clusters", cluster, "access-entries"}, query, nil, &out, eksMissing)
			if err != nil {
				return nil, err
			}
			for _, principal := range out.AccessEntries {
				o, err := p.Read(ctx, account.Resource{Kind: account.KindAccessEntry, Name: cluster + "/" + lastOf(principal), Spec: account.AccessEntry{Cluster: cluster, Principal: principal}})
				if err != nil {
					return nil, err
				}
				if o != nil && o.Owner() == of.Project {
					found = append(found, *o)
				}
			}
			if code != "" || out.NextToken == "" {
				break
			}
			query.Set("nextToken", out.NextToken)
		}
	}
	return found, nil
}
