package resources

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/port"
)

// podIdentity looks after the roles of pods.
type podIdentity struct{ *Account }

var _ port.Account = podIdentity{}

// association is one of a cluster.
type association struct {
	AssociationId, AssociationArn, Namespace, ServiceAccount, RoleArn string
	Tags                                                              map[string]string
}

// list returns the associations of a cluster, in a namespace and for a ServiceAccount
// where these are given. They have neither roles nor tags.
func (p podIdentity) list(ctx context.Context, cluster, namespace, serviceAccount string) (found []association, err error) {
	query := form("namespace", namespace, "serviceAccount", serviceAccount)
	for range maxPages {
		var out struct {
			Associations []association
			NextToken    string
		}
		code, err := p.eks(ctx, "list the Pod Identities of "+cluster, "ListPodIdentityAssociations", http.MethodGet, []string{"clusters", cluster, "pod-identity-associations"}, query, nil, &out, eksMissing)
		if err != nil || code != "" {
			return nil, err
		}
		found = append(found, out.Associations...)
		if out.NextToken == "" {
			return found, nil
		}
		query.Set("nextToken", out.NextToken)
	}
	return nil, errTooManyPages
}

// describe reads one; nil: it is not there any more.
func (p podIdentity) describe(ctx context.Context, cluster, id string) (*association, error) {
	var out struct{ Association association }
	code, err := p.eks(ctx, "read a Pod Identity of "+cluster, "DescribePodIdentityAssociation", http.MethodGet, []string{"clusters", cluster, "pod-identity-associations", id}, nil, nil, &out, eksMissing)
	if err != nil || code != "" {
		return nil, err
	}
	return &out.Association, nil
}

// find returns the one association of a ServiceAccount.
func (p podIdentity) find(ctx context.Context, want account.Resource) (*association, account.PodIdentity, error) {
	spec, err := account.SpecOf[account.PodIdentity](want)
	if err != nil {
		return nil, spec, err
	}
	found, err := p.list(ctx, spec.Cluster, spec.Namespace, spec.ServiceAccount)
	if err != nil || len(found) == 0 {
		return nil, spec, err
	}
	a, err := p.describe(ctx, spec.Cluster, found[0].AssociationId)
	return a, spec, err
}

// Read implements port.Account.
func (p podIdentity) Read(ctx context.Context, want account.Resource) (*account.Observed, error) {
	a, spec, err := p.find(ctx, want)
	if err != nil || a == nil {
		return nil, err
	}
	return observed(spec.Cluster, want.Name, *a), nil
}

func observed(cluster, name string, a association) *account.Observed {
	return &account.Observed{
		Resource: account.Resource{
			Kind: account.KindPodIdentity, Name: name, ARN: a.AssociationArn,
			Spec: account.PodIdentity{Cluster: cluster, Namespace: a.Namespace, ServiceAccount: a.ServiceAccount, Role: a.RoleArn},
		},
		Tags: a.Tags,
	}
}

// Create implements port.Account.
func (p podIdentity) Create(ctx context.Context, want account.Resource, tags map[string]string) error {
	spec, err := account.SpecOf[account.PodIdentity](want)
	if err != nil {
		return err
	}
	in := map[string]any{"namespace": spec.Namespace, "serviceAccount": spec.ServiceAccount, "roleArn": spec.Role, "tags": tags}
	code, err := p.eks(ctx, "make the "+want.Title(), "CreatePodIdentityAssociation", http.MethodPost, []string{"clusters", spec.Cluster, "pod-identity-associations"}, nil, in, nil, eksExists)
	if err != nil || code == "" {
		return err
	}
	return create(ctx, p, want, tags)
}

// Update implements port.Account.
func (p podIdentity) Update(ctx context.Context, want account.Resource, tags map[string]string) error {
	a, spec, err := p.find(ctx, want)
	if err != nil {
		return err
	}
	if a == nil {
		return p.Create(ctx, want, tags)
	}
	action := "change the " + want.Title()
	return all(func() error { return p.tagEKS(ctx, action, a.AssociationArn, tags) }, func() error {
		if a.RoleArn == spec.Role {
			return nil
		}
		path := []string{"clusters", spec.Cluster, "pod-identity-associations", a.AssociationId}
		_, err := p.eks(ctx, action, "UpdatePodIdentityAssociation", http.MethodPost, path, nil, map[string]any{"roleArn": spec.Role}, nil)
		return err
	})
}

// Delete implements port.Account.
func (p podIdentity) Delete(ctx context.Context, r account.Resource) error {
	a, spec, err := p.find(ctx, r)
	if err != nil || a == nil {
		return err
	}
	path := []string{"clusters", spec.Cluster, "pod-identity-associations", a.AssociationId}
	_, err = p.eks(ctx, "delete the "+r.Title(), "DeletePodIdentityAssociation", http.MethodDelete, path, url.Values{}, nil, nil, eksMissing)
	return err
}

// Owned implements port.Account. Only the namespaces of the set are looked at: a cluster
// may have thousands of associations.
func (p podIdentity) Owned(ctx context.Context, of account.Set) (found []account.Observed, err error) {
	type place struct{ cluster, namespace string }
	var places []place
	for _, r := range of.Resources {
		var at place
		switch s := r.Spec.(type) {
		case account.PodIdentity:
			at = place{s.Cluster, s.Namespace}
		case account.NamespaceRights:
			at = place{s.Cluster, s.Namespace}
		}
		if at.cluster != "" && !slices.Contains(places, at) {
			places = append(places, at)
		}
	}
	for _, at := range places {
		all, err := p.list(ctx, at.cluster, at.namespace, "")
		if err != nil {
			return nil, err
		}
		for _, listed := range all {
			a, err := p.describe(ctx, at.cluster, listed.AssociationId)
			if err != nil {
				return nil, err
			}
			if a != nil && a.Tags[account.TagProject] == of.Project {
				found = append(found, *observed(at.cluster, at.cluster+"/"+a.Namespace+"/"+a.ServiceAccount, *a))
			}
		}
	}
	return found, nil
}
