// Package grants looks after what the group of an environment may do in its namespace:
// a Role and a RoleBinding, and nothing outside of the namespace.
package grants

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// name of the Role and of the RoleBinding.
const name = account.NamespaceRole

// annotation keeps the tags: names of labels have no colons.
const annotation = "slipway.dev/account-tags"

// Rights implements port.Account for the namespaces of clusters.
type Rights struct {
	connect func(ctx context.Context, cluster, namespace string) (*client.Client, error)
}

var _ port.Account = (*Rights)(nil)

// New connects to nothing yet. find returns how a cluster is reached.
func New(find func(ctx context.Context, cluster string) (client.Endpoint, error)) *Rights {
	return &Rights{func(ctx context.Context, cluster, namespace string) (*client.Client, error) {
		at, err := find(ctx, cluster)
		if err != nil {
			return nil, err
		}
		return client.ConnectTo(at, namespace, "namespace "+namespace+" of "+cluster, nil)
	}}
}

func kindOf(kind string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: kind}
}

// Read implements port.Account. They are there if one of the two objects is.
func (g *Rights) Read(ctx context.Context, want account.Resource) (*account.Observed, error) {
	s, err := account.SpecOf[account.NamespaceRights](want)
	if err != nil {
		return nil, err
	}
	c, err := g.connect(ctx, s.Cluster, s.Namespace)
	if err != nil {
		return nil, err
	}
	o := &account.Observed{Resource: account.Resource{Kind: account.KindNamespace, Name: want.Name, Spec: s}, Tags: map[string]string{}}
	there := false
	for _, wanted := range objects(s, nil) {
		live, err := get(ctx, c, wanted.GroupVersionKind(), s.Namespace, name)
		if err != nil {
			return nil, err
		}
		kind := wanted.GetKind()
		if live == nil {
			o.Others = append(o.Others, account.Difference{Path: kind, Want: name})
			continue
		}
		there = true
		if text := live.GetAnnotations()[annotation]; text != "" {
			if err := json.Unmarshal([]byte(text), &o.Tags); err != nil {
				return nil, fault.New(fault.Invalid, "read the tags of %s %s in %s", kind, name, s.Namespace).Cause(err)
			}
		}
		o.Others = append(o.Others, differences(kind, wanted, live)...)
	}
	if !there {
		return nil, nil //nolint:nilnil // nil means that it does not exist
	}
	return o, nil
}

func get(ctx context.Context, c *client.Client, gvk schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, error) {
	k, err := c.KindOf(ctx, gvk)
	if err != nil {
		return nil, err
	}
	return c.Get(ctx, k, namespace, name)
}

// differences are those of the fields that say who may do what.
func differences(kind string, want, have *unstructured.Unstructured) (found []account.Difference) {
	for _, field := range []string{"rules", "roleRef", "subjects"} {
		w, h := normal(want.Object[field]), normal(have.Object[field])
		if !reflect.DeepEqual(w, h) {
			found = append(found, account.Difference{Path: kind + "." + field, Have: text(h), Want: text(w)})
		}
	}
	return found
}

// normal is a value as JSON has it, without what the API server fills in.
func normal(v any) any {
	raw, err := json.Marshal(v)
	if err != nil {
		return v
	}
	var out any
	if json.Unmarshal(raw, &out) != nil {
		return v
	}
	return out
}

func text(v any) string {
	if v == nil {
		return ""
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}

// Create implements port.Account. A namespace that is missing is made, and never deleted.
func (g *Rights) Create(ctx context.Context, want account.Resource, tags map[string]string) error {
	have, err := g.Read(ctx, want)
	if err != nil {
		return err
	}
	if have != nil && have.Owner() != tags[account.TagProject] {
		return fault.New(fault.Conflict, "the %s exist, and are not of this project", want.Title()).
			Hint("another one made them meanwhile: run `slipway aws plan` again")
	}
	return g.Update(ctx, want, tags)
}

// Update implements port.Account.
func (g *Rights) Update(ctx context.Context, want account.Resource, tags map[string]string) error {
	s, err := account.SpecOf[account.NamespaceRights](want)
	if err != nil {
		return err
	}
	c, err := g.connect(ctx, s.Cluster, s.Namespace)
	if err != nil {
		return err
	}
	namespace := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": s.Namespace}}}
	live, err := get(ctx, c, namespace.GroupVersionKind(), "", s.Namespace)
	if err == nil && live == nil {
		_, err = c.Apply(ctx, namespace, client.ApplyOptions{})
	}
	if err != nil {
		return err
	}
	for _, o := range objects(s, tags) {
		if err := remake(ctx, c, o); err != nil {
			return err
		}
		if _, err := c.Apply(ctx, o, client.ApplyOptions{Force: true}); err != nil {
			return err
		}
	}
	return nil
}

// remake deletes a RoleBinding whose roleRef is another one: it can't be changed.
func remake(ctx context.Context, c *client.Client, want *unstructured.Unstructured) error {
	k, err := c.KindOf(ctx, want.GroupVersionKind())
	if err != nil {
		return err
	}
	live, err := c.Get(ctx, k, want.GetNamespace(), name)
	if err != nil || live == nil || len(differences("", want, live)) == 0 {
		return err
	}
	return c.Delete(ctx, k, want.GetNamespace(), name) // applying would leave what others added
}

// Delete implements port.Account.
func (g *Rights) Delete(ctx context.Context, r account.Resource) error {
	s, err := account.SpecOf[account.NamespaceRights](r)
	if err != nil {
		return err
	}
	c, err := g.connect(ctx, s.Cluster, s.Namespace)
	if err != nil {
		return err
	}
	for _, kind := range []string{"RoleBinding", "Role"} {
		k, err := c.KindOf(ctx, kindOf(kind))
		if err != nil {
			return err
		}
		if err := c.Delete(ctx, k, s.Namespace, name); err != nil {
			return err
		}
	}
	return nil
}

// Owned implements port.Account. Only the namespaces of the set are looked at.
func (g *Rights) Owned(ctx context.Context, of account.Set) (found []account.Observed, err error) {
	for _, r := range of.Resources {
		if r.Kind != account.KindNamespace {
			continue
		}
		o, err := g.Read(ctx, r)
		if err != nil {
			return nil, err
		}
		if o != nil && o.Owner() == of.Project {
			found = append(found, *o)
		}
	}
	return found, nil
}

// objects are the Role and the RoleBinding.
func objects(s account.NamespaceRights, tags map[string]string) []*unstructured.Unstructured {
	metadata := func() map[string]any {
		m := map[string]any{"name": name, "namespace": s.Namespace, "labels": map[string]any{labels.ManagedBy: labels.Manager}}
		if tags != nil {
			m["annotations"] = map[string]any{annotation: text(tags)}
		}
		return m
	}
	return []*unstructured.Unstructured{
		{Object: map[string]any{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata(), "rules": rules()}},
		{Object: map[string]any{
			"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata(),
			"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
			"subjects": []any{map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": s.Group}},
		}},
	}
}

// rules are those that delivering needs.
func rules() (all []any) {
	for _, r := range account.NamespaceRules() {
		all = append(all, map[string]any{"apiGroups": list(r.APIGroups), "resources": list(r.Resources), "verbs": list(r.Verbs)})
	}
	return all
}

func list(texts []string) (all []any) {
	for _, text := range texts {
		all = append(all, text)
	}
	return all
}
