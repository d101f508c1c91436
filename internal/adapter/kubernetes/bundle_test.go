package kubernetes

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

const (
	imageDigest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	running     = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"api"},"spec":{"selector":{"matchLabels":{"app":"api"}},"template":{"metadata":{"labels":{"app":"api"}},"spec":{"containers":[{"name":"api","image":"api@` + imageDigest + `"}]}}}}`
	reaching    = `{"apiVersion":"v1","kind":"Service","metadata":{"name":"api"},"spec":{"selector":{"app":"api"},"ports":[{"port":80}]}}`
	elsewhere   = `{"apiVersion":"v1","kind":"Service","metadata":{"name":"cache"},"spec":{"selector":{"app":"cache"},"ports":[{"port":80}]}}`
	sidekick    = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"cache"},"spec":{"selector":{"matchLabels":{"app":"cache"}},"template":{"metadata":{"labels":{"app":"cache"}},"spec":{"containers":[{"name":"cache","image":"redis@sha256:22"}]}}}}`
	settings    = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings","namespace":"other"}}`
)

func orderOf(objects ...string) port.DeployRequest {
	text := "[" + strings.Join(objects, ",") + "]"
	return port.DeployRequest{Service: "api", Environment: "prod", ID: "r-0123456789ab", Release: delivery.Release{
		Service: "api", Image: delivery.Image{Repository: "api", Digest: imageDigest}, Objects: text,
		Manifests: delivery.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text)))),
	}}
}

func TestBundle(t *testing.T) {
	target := New(Config{})
	target.place.Registry = "127.0.0.1:5000"
	b, err := target.bundle(t.Context(), newAPI(t).cluster(), orderOf(settings, sidekick, elsewhere, reaching, running))
	if err != nil {
		t.Fatal(err)
	}
	if len(b.ours) != 1 || len(b.entries) != 1 || len(b.rest) != 3 {
		t.Fatalf("%d of ours, %d entries, %d others; want 1, 1, 3", len(b.ours), len(b.entries), len(b.rest))
	}
	if b.ours[0].GetName() != "api" || b.entries[0].GetName() != "api" {
		t.Errorf("ours is %s, the entry is %s", b.ours[0].GetName(), b.entries[0].GetName())
	}
	if text := plain(b.ours[0]); !strings.Contains(text, "image: 127.0.0.1:5000/api@"+imageDigest) {
		t.Errorf("the nodes can't pull it:\n%s", text)
	}
	if templateOf(b.ours[0]) != "r-0123456789ab" {
		t.Errorf("its pods are of %q", templateOf(b.ours[0]))
	}
	for _, o := range b.all {
		want := "ns"
		if o.GetName() == "settings" {
			want = "other"
		}
		if l := o.GetLabels(); o.GetNamespace() != want || l[serviceLabel] != "api" || l[environmentLabel] != "prod" {
			t.Errorf("%s is in %s with labels %v", title(o), o.GetNamespace(), l)
		}
	}
}

func TestBundleRefused(t *testing.T) {
	damaged := orderOf(reaching, running)
	damaged.Release.Objects = strings.Replace(damaged.Release.Objects, "api", "apj", 1)
	nonsense := orderOf(`{"kind":"Service"}`)
	foreign := orderOf()
	foreign.Release.Objects = ""
	for _, c := range []struct {
		name  string
		order port.DeployRequest
		kind  fault.Kind
		says  string
	}{
		{"made for another target", foreign, fault.Invalid, "no Kubernetes objects"},
		{"changed", damaged, fault.Corrupt, "it pins"},
		{"no objects", nonsense, fault.Corrupt, "without a name"},
		{"no Service", orderOf(running), fault.Invalid, "no Service"},
		{"a Service of others", orderOf(running, elsewhere), fault.Invalid, "no Service"},
		{"no Deployment", orderOf(reaching), fault.Invalid, "no Deployment"},
		{"a Deployment of others", orderOf(sidekick, elsewhere), fault.Invalid, "no Deployment"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := New(Config{}).bundle(t.Context(), newAPI(t).cluster(), c.order); !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error = %v, want %s with %q", err, c.kind, c.says)
			}
		})
	}
}

func TestPrefix(t *testing.T) {
	for _, c := range []struct{ registry, repository, want string }{
		{"127.0.0.1:5000", "api", "127.0.0.1:5000/"},
		{"127.0.0.1:5000", "mlops/api", "127.0.0.1:5000/"},
		{"127.0.0.1:5000", "registry.example.com/api", ""},
		{"127.0.0.1:5000", "localhost:5000/api", ""},
		{"", "api", ""},
	} {
		target := New(Config{})
		target.place.Registry = c.registry
		if got := target.prefix(delivery.Image{Repository: c.repository}); got != c.want {
			t.Errorf("%s at %q: %q, want %q", c.repository, c.registry, got, c.want)
		}
	}
}
