package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/policy"
)

const key = "-----BEGIN PUBLIC KEY-----\nAQID\n-----END PUBLIC KEY-----\n"

// meet is the policy of documents.
func meet(t *testing.T, documents ...string) policy.Policy {
	t.Helper()
	var p policy.Policy
	for _, text := range documents {
		d, err := policy.Parse("policy.yaml", []byte("version: 1\n"+text))
		if err != nil {
			t.Fatal(err)
		}
		p = p.With("policy.yaml", d)
	}
	return p
}

// TestPolicy_Meets: of every key, two documents allow what both allow, in either order.
func TestPolicy_Meets(t *testing.T) {
	fingerprint := policy.Fingerprint(key)
	for _, c := range []struct {
		name, a, b string
		ask        func(policy.Policy) any
		want       any // of both
		none       any // without a document
	}{
		{
			"trust.keys", "trust: {keys: [\"" + fingerprint + "\", other]}", "trust: {keys: [\"" + fingerprint + "\"]}",
			func(p policy.Policy) any { return []bool{p.AllowsKey(key), p.AllowsFingerprint("other")} }, []bool{true, false}, []bool{true, true},
		},
		{
			"trust.keys and trust.identities", "trust: {keys: [\"" + fingerprint + "\"]}", "trust: {identities: [{issuer: https://i, subject: s}]}",
			func(p policy.Policy) any { return []bool{p.AllowsKey(key), p.AllowsIdentity("https://i", "s")} }, []bool{false, false}, []bool{true, true},
		},
		{
			"trust.identities", "trust: {identities: [{issuer: https://i, subject: org/*}]}", "trust: {identities: [{issuer: https://i, subject: org/a@*}]}",
			func(p policy.Policy) any {
				return []bool{p.AllowsIdentity("https://i", "org/a@main"), p.AllowsIdentity("https://i", "org/b@main"), p.AllowsIdentity("https://i", "org/*"), p.AllowsIdentity("https://j", "org/a@main")}
			},
			[]bool{true, false, false, false}, []bool{true, true, true, true},
		},
		{
			"trust.images", "trust: {images: [\"docker.io/istio/*\", \"busybox:*\"]}", "trust: {images: [\"docker.io/istio/proxyv2:*\", \"*:1\"]}",
			func(p policy.Policy) any {
				return []bool{
					p.AllowsImage("docker.io/istio/proxyv2:*"), p.AllowsImage("docker.io/istio/proxyv2:1.2"), p.AllowsImage("busybox:1"),
					p.AllowsImage("docker.io/istio/*"), p.AllowsImage("busybox:2"), p.AllowsImage("alpine:1"), p.AllowsImage("*"),
				}
			},
			[]bool{true, true, true, false, false, false, false}, []bool{true, true, true, true, true, true, true},
		},
		{
			"trust.images leave signers alone", "trust: {images: []}", "trust: {keys: [\"" + fingerprint + "\"]}",
			func(p policy.Policy) any {
				return []bool{p.AllowsImage("busybox:1"), p.AllowsKey(key), p.AllowsFingerprint("other"), p.RequiresTrust()}
			},
			[]bool{false, true, false, true}, []bool{true, true, true, false},
		},
		{
			"trust", "trust: {}", "",
			func(p policy.Policy) any { return p.RequiresTrust() }, true, false,
		},
		{
			"approvals.count", "approvals: {prod: {count: 2}}", "approvals: {\"*\": {count: 1}}",
			func(p policy.Policy) any {
				prod, _, _ := p.Approvals("prod")
				dev, _, _ := p.Approvals("dev")
				return []int{prod, dev}
			},
			[]int{2, 1}, []int{0, 0},
		},
		{
			"approvals.who", "approvals: {prod: {who: [ann, ben]}}", "approvals: {\"p*\": {who: [ben, cy]}}",
			func(p policy.Policy) any {
				_, who, _ := p.Approvals("prod")
				return []bool{who.Allows("ann"), who.Allows("ben"), who.Allows("cy")}
			},
			[]bool{false, true, false}, []bool{true, true, true},
		},
		{
			"secrets.push", "secrets: {push: [\"DB_*\", A]}", "secrets: {push: [DB_PASS, B]}",
			func(p policy.Policy) any {
				a := p.Secrets("push")
				return []bool{a.Allows("DB_PASS"), a.Allows("DB_USER"), a.Allows("A"), a.Allows("B")}
			},
			[]bool{true, false, false, false}, []bool{true, true, true, true},
		},
		{
			"secrets.pull_request", "secrets: {pull_request: [A, B]}", "secrets: {pull_request: [B]}",
			func(p policy.Policy) any {
				return []bool{p.Secrets("pull_request").Allows("A"), p.Secrets("pull_request").Allows("B")}
			},
			[]bool{false, true}, []bool{false, false},
		},
		{
			"kubeconfigs", "kubeconfigs: [/etc/kube/**]", "kubeconfigs: [/etc/kube/prod, /home/x]",
			func(p policy.Policy) any {
				a := p.Kubeconfigs()
				return []bool{a.Allows("/etc/kube/prod"), a.Allows("/etc/kube/dev"), a.Allows("/home/x")}
			},
			[]bool{true, false, false}, []bool{true, true, true},
		},
		{"addresses.fulcio", addresses("fulcio", "https://a, https://b"), addresses("fulcio", "https://b"), asks(policy.Fulcio), []bool{false, true}, []bool{true, true}},
		{"addresses.rekor", addresses("rekor", "https://a, https://b"), addresses("rekor", "https://b"), asks(policy.Rekor), []bool{false, true}, []bool{true, true}},
		{"addresses.prometheus", addresses("prometheus", "https://a, https://b"), addresses("prometheus", "https://b"), asks(policy.Prometheus), []bool{false, true}, []bool{true, true}},
		{"addresses.registries", addresses("registries", "https://a, https://b"), addresses("registries", "https://b"), asks(policy.Registries), []bool{false, true}, []bool{true, true}},
		{"addresses.state", addresses("state", "https://a, https://b"), addresses("state", "https://b"), asks(policy.State), []bool{false, true}, []bool{true, true}},
		{"addresses.model_registries", addresses("model_registries", "https://a, https://b"), addresses("model_registries", "https://b"), asks(policy.ModelRegistries), []bool{false, true}, []bool{true, true}},
		{"require.box", "require: {box: true}", "require: {box: false}", func(p policy.Policy) any { return len(p.RequiresBox()) > 0 }, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, p := range []policy.Policy{meet(t, c.a, c.b), meet(t, c.b, c.a), meet(t, c.a, c.b, c.a)} {
				if diff := cmp.Diff(c.want, c.ask(p)); diff != "" {
					t.Errorf("both (-want +got):\n%s", diff)
				}
			}
			if diff := cmp.Diff(c.none, c.ask(policy.Policy{})); diff != "" {
				t.Errorf("without a document (-want +got):\n%s", diff)
			}
		})
	}
}

func addresses(kind, list string) string { return "addresses: {" + kind + ": [" + list + "]}" }

func asks(kind policy.Address) func(policy.Policy) any {
	return func(p policy.Policy) any {
		return []bool{p.Addresses(kind).Allows("https://a"), p.Addresses(kind).Allows("https://b")}
	}
}

// TestPolicy_EmptyListAllowsNothing: a list that is there and empty is no missing list.
func TestPolicy_EmptyListAllowsNothing(t *testing.T) {
	p := meet(t, "secrets: {push: []}\nkubeconfigs: []\naddresses: {fulcio: []}\napprovals: {prod: {who: []}}")
	_, who, _ := p.Approvals("prod")
	for name, a := range map[string]policy.Allowed{
		"secrets": p.Secrets("push"), "kubeconfigs": p.Kubeconfigs(), "addresses": p.Addresses(policy.Fulcio), "who": who,
	} {
		if !a.IsLimited() || a.Allows("x") {
			t.Errorf("%s: limited = %v, allows x = %v, want an empty list to allow nothing", name, a.IsLimited(), a.Allows("x"))
		}
	}
}

func TestParse_Refuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", "version: 1\nsecret: {}\n", "policy.yaml:2:1"},
		{"unknown key inside", "version: 1\nrequire: {boxed: true}\n", "policy.yaml:2:11"},
		{"unknown event", "version: 1\nsecrets: {merge: [A]}\n", `unknown event "merge"`},
		{"no version", "require: {box: true}\n", "version"},
		{"newer version", "version: 2\n", "version: 2"},
		{"pattern", "version: 1\nkubeconfigs: [\"[\"]\n", `invalid pattern "["`},
		{"alias", "version: 1\nkubeconfigs: &a [x]\n", "anchors"},
		{"no YAML", "{", "policy.yaml:1"},
		{"empty", "", "empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := policy.Parse("policy.yaml", []byte(c.text))
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestAllowed_Items(t *testing.T) {
	a := meet(t, "kubeconfigs: [\"/etc/kube/*\", /a]", "kubeconfigs: [/etc/kube/prod, /b]").Kubeconfigs()
	if diff := cmp.Diff([]string{"/etc/kube/prod"}, a.Items()); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
}
