package delivery

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOverridesApply(t *testing.T) {
	two, half, memory, none := 2, 0.5, int64(256<<20), 0
	base := Workload{Replicas: 1, Env: map[string]string{"A": "1", "B": "2"}, Args: []string{"-v"}, CPU: 1, Memory: 1 << 20, Health: "/health"}
	for _, c := range []struct {
		name string
		give Overrides
		want Workload
	}{
		{"nothing", Overrides{}, base},
		{"merges the environment by name", Overrides{Env: map[string]string{"B": "3", "C": "4"}}, Workload{
			Replicas: 1, Env: map[string]string{"A": "1", "B": "3", "C": "4"}, Args: []string{"-v"}, CPU: 1, Memory: 1 << 20, Health: "/health",
		}},
		{"numbers and arguments", Overrides{Replicas: &two, CPU: &half, Memory: &memory, Args: []string{}}, Workload{
			Replicas: 2, Env: map[string]string{"A": "1", "B": "2"}, Args: []string{}, CPU: 0.5, Memory: 256 << 20, Health: "/health",
		}},
		{"zero is a value", Overrides{Replicas: &none}, Workload{
			Env: map[string]string{"A": "1", "B": "2"}, Args: []string{"-v"}, CPU: 1, Memory: 1 << 20, Health: "/health",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.give.Apply(base)); diff != "" {
				t.Errorf("workload (-want +got):\n%s", diff)
			}
			if c.give.IsZero() != (c.name == "nothing") {
				t.Errorf("IsZero() = %v", c.give.IsZero())
			}
		})
	}
	if len(base.Env) != 2 || base.Env["B"] != "2" {
		t.Errorf("the workload was changed: %v", base.Env)
	}
}
