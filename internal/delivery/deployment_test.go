package delivery_test

import (
	"strconv"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// TestDeployment_Collides: two configurations with the same short name are found in a
// moment, and are not taken for each other.
func TestDeployment_Collides(t *testing.T) {
	const id = delivery.ReleaseID("r-000000000000")
	known := map[delivery.ReleaseID]*delivery.Configuration{}
	for i := range 1 << 16 {
		c := &delivery.Configuration{Workload: delivery.Workload{Env: map[string]string{"X": strconv.Itoa(i)}}}
		name := id.With(c)
		first, ok := known[name]
		if !ok {
			known[name] = c
			continue
		}
		d := delivery.Deployment{Release: id, Config: first}
		if d.Instance() != name || !d.Collides(id, c) {
			t.Errorf("%q and %q have the name %s, want them to collide", first.Workload.Env, c.Workload.Env, name)
		}
		same := *first
		if d.Collides(id, &same) || d.Collides(id, nil) || (delivery.Deployment{Release: id}).Collides(id, nil) {
			t.Error("the same configuration collides, or one with another name")
		}
		return
	}
	t.Fatal("no two configurations with the same name found")
}
