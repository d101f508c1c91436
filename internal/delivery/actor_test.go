package delivery_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
)

func TestActor_Same(t *testing.T) {
	hub := delivery.Actor{Issuer: "https://github.com", Subject: "7", Name: "ann", Means: delivery.MeansCI}
	renamed, lab := hub, hub
	renamed.Name = "ann-smith"
	lab.Issuer = "https://gitlab.com"
	ann, ben := delivery.Actor{Name: "ann", Means: delivery.MeansOS}, delivery.Actor{Name: "ben"}
	for _, c := range []struct {
		name string
		a, b delivery.Actor
		want bool
	}{
		{"itself", hub, hub, true},
		{"a new name", hub, renamed, true},
		{"another issuer", hub, lab, false},
		{"the same name without an issuer", hub, ann, true},
		{"the same name by other means", ann, delivery.Actor{Name: "ann", Means: delivery.MeansFlag}, true},
		{"another name", ann, ben, false},
		{"another name without an issuer", hub, ben, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.a.Same(c.b) != c.want || c.b.Same(c.a) != c.want {
				t.Errorf("Same(%+v, %+v) = %v, %v, want %v", c.a, c.b, c.a.Same(c.b), c.b.Same(c.a), c.want)
			}
		})
	}
}

// TestActor_IsIn: no name of an account passes for that of another issuer.
func TestActor_IsIn(t *testing.T) {
	ben := delivery.Actor{Issuer: "https://github.com", Subject: "7", Name: "ben", Means: delivery.MeansCI}
	posing := delivery.Actor{Issuer: "https://jenkins", Subject: "https://github.com ben", Name: "https://github.com ben", Means: delivery.MeansCI}
	for _, c := range []struct {
		name  string
		actor delivery.Actor
		list  []string
		want  bool
	}{
		{"name", ben, []string{"ann", "ben"}, true},
		{"issuer and name", ben, []string{"https://github.com ben"}, true},
		{"issuer and subject", ben, []string{"https://github.com 7"}, true},
		{"another issuer", ben, []string{"https://gitlab.com ben"}, false},
		{"claimed name", ben.Claiming("ann", delivery.MeansFlag), []string{"ann"}, false},
		{"vouched for by no one", delivery.Actor{Name: "ben"}, []string{"ben"}, false},
		{"name like an issuer with a name", posing, []string{"https://github.com ben"}, false},
		{"the same, listed with its issuer", posing, []string{"https://jenkins https://github.com ben"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.actor.IsIn(c.list); got != c.want {
				t.Errorf("IsIn(%q) = %t, want %t", c.list, got, c.want)
			}
		})
	}
}

func TestActor_JSON(t *testing.T) {
	full := delivery.Actor{Issuer: "https://github.com", Subject: "7", Name: "ann", Means: delivery.MeansCI}
	for _, c := range []struct {
		name, text string
		want       delivery.Actor
		written    string
	}{
		{"full", `{"issuer":"https://github.com","subject":"7","name":"ann","means":"ci"}`, full, `{"issuer":"https://github.com","subject":"7","name":"ann","means":"ci"}`},
		{"bare name", ` "ann"`, delivery.Actor{Name: "ann"}, `{"name":"ann"}`},
		{"none", `{}`, delivery.Actor{}, `{}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := delivery.Actor{Name: "left from before", Means: "x"}
			if c.name != "bare name" {
				got = delivery.Actor{}
			}
			if err := json.Unmarshal([]byte(c.text), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("read (-want +got):\n%s", diff)
			}
			if raw, err := json.Marshal(got); err != nil || string(raw) != c.written {
				t.Errorf("written: %s, %v, want %s", raw, err, c.written)
			}
			if got.IsZero() != (c.want == delivery.Actor{}) {
				t.Errorf("IsZero of %+v = %v", got, got.IsZero())
			}
		})
	}
}
