package grants

import (
	"context"
	"testing"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/fault"
)

var place = account.Resource{
	Kind: account.KindNamespace, Name: "mlops/ns", Environment: "prod", Spec: account.NamespaceRights{Cluster: "mlops", Namespace: "ns", Group: "slipway:ns"},
}

// lab is an API server with a namespace, and the adapter.
func lab(t *testing.T) (*fakeapi.Server, *Rights) {
	server := fakeapi.New(t)
	return server, &Rights{func(context.Context, string, string) (*client.Client, error) { return server.Client(), nil }}
}

func plan(t *testing.T, g *Rights, adopt ...string) account.Plan {
	t.Helper()
	o, err := g.Read(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	var all []account.Observed
	if o != nil {
		all = append(all, *o)
	}
	p, err := account.New(account.Set{Project: "retail", Resources: []account.Resource{place}}, all, account.Options{Adopt: adopt})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRights(t *testing.T) {
	t.Parallel()
	server, g := lab(t)
	set := account.Set{Project: "retail", Resources: []account.Resource{place}}
	tags := set.Tags(place, false)
	unchanged := func() {
		t.Helper()
		if p := plan(t, g); len(p.Unchanged) != 1 {
			t.Errorf("plan %+v", p.Changes)
		}
	}
	if p := plan(t, g); len(p.Changes) != 1 || p.Changes[0].Action != account.Create {
		t.Fatalf("plan %+v", p)
	}
	for range 2 {
		if err := g.Create(t.Context(), place, tags); err != nil {
			t.Fatal(err)
		}
		unchanged()
	}
	if owned, err := g.Owned(t.Context(), set); err != nil || len(owned) != 1 {
		t.Errorf("owned %+v, %v", owned, err)
	}
	const at = "/apis/rbac.authorization.k8s.io/v1/namespaces/ns/"
	for change, do := range map[string]func(){
		"wider rules": func() {
			server.Put(at+"roles/slipway", fakeapi.Object(t, `{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: slipway, namespace: ns, annotations: {slipway.dev/account-tags: '{"slipway:project":"retail","slipway:environment":"prod"}'}}, rules: [{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]}`))
		},
		"another subject": func() {
			server.Put(at+"rolebindings/slipway", fakeapi.Object(t, `{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: slipway, namespace: ns, annotations: {slipway.dev/account-tags: '{"slipway:project":"retail","slipway:environment":"prod"}'}}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: slipway}, subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: 'system:authenticated'}]}`))
		},
		"no binding": func() {
			k, err := server.Client().KindOf(t.Context(), kindOf("RoleBinding"))
			if err == nil {
				err = server.Client().Delete(t.Context(), k, "ns", "slipway")
			}
			if err != nil {
				t.Error(err)
			}
		},
	} {
		do()
		p := plan(t, g)
		if len(p.Changes) != 1 || p.Changes[0].Action != account.Repair || len(p.Changes[0].Differences) != 1 {
			t.Errorf("%s: plan %+v", change, p)
		}
		if err := g.Update(t.Context(), place, tags); err != nil {
			t.Errorf("%s: %v", change, err)
		}
		unchanged()
	}
	for range 2 {
		if err := g.Delete(t.Context(), place); err != nil {
			t.Fatal(err)
		}
	}
	if o, err := g.Read(t.Context(), place); o != nil || err != nil {
		t.Errorf("read %+v, %v after they were deleted", o, err)
	}
}

// A Role of a person is left alone until it is adopted.
func TestRights_OfOthers(t *testing.T) {
	t.Parallel()
	server, g := lab(t)
	server.Put("/apis/rbac.authorization.k8s.io/v1/namespaces/ns/roles/slipway", fakeapi.Object(t, `{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: slipway, namespace: ns}, rules: []}`))
	if p := plan(t, g); len(p.Changes) != 1 || p.Changes[0].Action != account.Leave {
		t.Errorf("plan %+v", p)
	}
	if err := g.Create(t.Context(), place, map[string]string{account.TagProject: "retail"}); !fault.Is(err, fault.Conflict) {
		t.Errorf("error %v", err)
	}
	p := plan(t, g, place.Name)
	if len(p.Changes) != 1 || p.Changes[0].Action != account.Narrow {
		t.Fatalf("plan %+v", p)
	}
	if err := g.Update(t.Context(), place, account.Set{Project: "retail"}.Tags(place, true)); err != nil {
		t.Fatal(err)
	}
	if p := plan(t, g); len(p.Unchanged) != 1 {
		t.Errorf("plan %+v", p)
	}
}

func TestRights_SilentServer(t *testing.T) {
	for name, serve := range silenttest.HTTP() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := fakeapi.ClientAt(t, silenttest.Listen(t, serve).URL("http"))
			g := &Rights{func(context.Context, string, string) (*client.Client, error) { return c, nil }}
			r := account.Resource{Kind: account.KindNamespace, Name: "c/ns", Spec: account.NamespaceRights{Cluster: "c", Namespace: "ns", Group: "g"}}
			silenttest.Check(t, silenttest.Calls{
				"Rights.Read":   func(ctx context.Context) error { _, err := g.Read(ctx, r); return err },
				"Rights.Create": func(ctx context.Context) error { return g.Create(ctx, r, nil) },
				"Rights.Update": func(ctx context.Context) error { return g.Update(ctx, r, nil) },
				"Rights.Delete": func(ctx context.Context) error { return g.Delete(ctx, r) },
				"Rights.Owned": func(ctx context.Context) error {
					_, err := g.Owned(ctx, account.Set{Resources: []account.Resource{r}})
					return err
				},
			})
		})
	}
}
