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
