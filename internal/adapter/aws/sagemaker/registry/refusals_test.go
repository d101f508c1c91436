package registry

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

func TestRegistry_Refusals(t *testing.T) {
	l := start(t)
	r := open(t, l)
	v := registered(t, r)
	for name, tt := range map[string]struct {
		do   func() error
		kind fault.Kind
		hint string
	}{
		"group's name": {func() error {
			_, err := r.Register(t.Context(), "retail_prices", digestOf(2), nil, delivery.Lineage{})
			return err
		}, fault.Invalid, "letters, digits and dashes"},
		"metrics too large": {func() error {
			_, err := r.Register(t.Context(), group, digestOf(2), delivery.Metrics{"x": strings.Repeat("x", maxDocument)}, delivery.Lineage{})
			return err
		}, fault.Invalid, "write fewer"},
		"another account": {func() error {
			c := config(t, l)
			c.AWS.Account = "999999999999"
			_, err := New(c).Register(t.Context(), group, digestOf(2), nil, delivery.Lineage{})
			return err
		}, fault.Invalid, "999999999999"},
		"no room for a decision": {func() error {
			_, err := r.Decide(t.Context(), v.ModelRef, delivery.ModelDecision{Status: delivery.Rejected, Why: noise(30_000)})
			return err
		}, fault.Exhausted, "shorter reason"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tt.do(); !fault.Is(err, tt.kind) || !strings.Contains(fault.HintOf(err), tt.hint) {
				t.Errorf("%v (%s), want %s", err, fault.HintOf(err), tt.kind)
			}
		})
	}
	if n := l.Count("sagemaker", "CreateModelPackage"); n != 1 {
		t.Errorf("%d versions were made", n)
	}
}

// noise is text that can't be compressed.
func noise(n int) string {
	random := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, "%x", random.Uint64())
	}
	return b.String()
}

// A role that may register, but not make groups.
func TestRegistry_NoGroup(t *testing.T) {
	l := start(t)
	l.Inject(func(call *awstest.Call) awstest.Fault {
		if call.Operation.Name == "CreateModelPackageGroup" {
			return awstest.Denied
		}
		return awstest.NoFault
	})
	_, err := open(t, l).Register(t.Context(), group, digestOf(1), nil, delivery.Lineage{})
	if !fault.Is(err, fault.Denied) || !strings.Contains(fault.HintOf(err), "create-model-package-group --region "+awstest.Region) {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
}

// What was edited, or overwritten, is corrupt.
func TestRegistry_Tampered(t *testing.T) {
	l := start(t)
	v := decide(t, open(t, l), registered(t, open(t, l)), delivery.Approved)
	get := func() error {
		_, err := open(t, l).Get(t.Context(), group, v.Version)
		return err
	}
	if err := get(); err != nil {
		t.Fatal(err)
	}
	key := l.Keys(bucket, "slipway/"+group+"/metrics/")[0]
	if _, err := l.PutObject(bucket, key, []byte(`{"accuracy": 0.99}`)); err != nil {
		t.Fatal(err)
	}
	if err := get(); !fault.Is(err, fault.Corrupt) || !strings.Contains(err.Error(), "overwritten") {
		t.Errorf("metrics overwritten: %v", err)
	}
	if _, err := l.PutObject(bucket, key, []byte(`{"accuracy":0.9}`)); err != nil {
		t.Fatal(err)
	}
	if err := get(); err != nil {
		t.Errorf("restored: %v", err)
	}
	change(t, l, v.Version, func(p *awstest.ModelPackage) {
		metadata, _ := p.Fields["CustomerMetadataProperties"].(map[string]any)
		metadata[decisionKey(1, 1)] = "edited"
	})
	if err := get(); !fault.Is(err, fault.Corrupt) {
		t.Errorf("decision edited: %v", err)
	}
}

func change(t *testing.T, l *awstest.Lab, version int, f func(*awstest.ModelPackage)) {
	t.Helper()
	if err := l.ChangeModelPackage(group, version, f); err != nil {
		t.Fatal(err)
	}
}
