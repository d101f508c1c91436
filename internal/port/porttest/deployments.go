package porttest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestDeployments holds an adapter to port.DeploymentStore. fresh returns a function
// that opens the same store, empty at first, again and again, as separate processes
// would.
func TestDeployments(t *testing.T, fresh func(t *testing.T) (open func() port.DeploymentStore)) {
	t.Run("begin and accept", func(t *testing.T) { testDeploymentLife(t, fresh(t)()) })
	t.Run("ends", func(t *testing.T) { testDeploymentEnds(t, fresh(t)()) })
	t.Run("end refuses", func(t *testing.T) { testEndRefuses(t, fresh(t)()) })
	t.Run("environments", func(t *testing.T) { testEnvironments(t, fresh(t)()) })
	t.Run("unsigned", func(t *testing.T) { testUnsignedDeployment(t, fresh(t)()) })
	t.Run("filter", func(t *testing.T) { testDeploymentFilter(t, fresh(t)()) })
	t.Run("pages", func(t *testing.T) { testDeploymentPages(t, fresh(t)()) })
	t.Run("another handle", func(t *testing.T) { testDeploymentsPersist(t, fresh(t)) })
	t.Run("accepted concurrently", func(t *testing.T) { testAcceptConcurrently(t, fresh(t)) })
}

// deployer is who lets the suite's releases in.
func deployer() delivery.Actor {
	return delivery.Actor{Issuer: "https://ci.example", Subject: "7", Name: "ana", Means: delivery.MeansCI, Unknown: unknownFields}
}

// begin records the deployment of the n-th release by the n-th run.
func begin(t *testing.T, s port.DeploymentStore, n int, env delivery.Environment) delivery.Deployment {
	t.Helper()
	d, err := s.Begin(t.Context(), delivery.Deployment{
		Environment: env, Release: delivery.ReleaseID(fmt.Sprintf("r-%012d", n)), Run: numberedRun(n), By: "ana", Actor: deployer(), Reason: "push", StartedAt: minute(n),
		Unknown: unknownFields,
	})
	return must(t, d, err)
}

func accept(t *testing.T, s port.DeploymentStore, id int64, at int) {
	t.Helper()
	if err := s.Accept(t.Context(), id, minute(at)); err != nil {
		t.Fatal(err)
	}
}

// wantCurrent wants the deployment to be the environment's current one; 0: none.
func wantCurrent(t *testing.T, s port.DeploymentStore, env delivery.Environment, id int64) {
	t.Helper()
	d, ok, err := s.Current(t.Context(), env)
	if err != nil || ok != (id != 0) || d.ID != id {
		t.Errorf("current deployment of %s: %d (found: %v, %v), want %d", env, d.ID, ok, err, id)
	}
}

func testDeploymentLife(t *testing.T, s port.DeploymentStore) {
	wantCurrent(t, s, "prod", 0)
	first := begin(t, s, 1, "prod")
	want := delivery.Deployment{
		ID: first.ID, Environment: "prod", Release: "r-000000000001", Run: numberedRun(1), State: delivery.Deploying,
		By: "ana", Actor: deployer(), Reason: "push", StartedAt: minute(1), Unknown: unknownFields,
	}
	if first.ID == 0 {
		t.Error("a deployment has the ID 0")
	}
	wantEqual(t, "begun", first, want)
	wantEqual(t, "begun again", begin(t, s, 1, "prod"), first)
	wantCurrent(t, s, "prod", 0) // not accepted yet
	accept(t, s, first.ID, 2)
	accept(t, s, first.ID, 3)
	first.State, first.ServingAt = delivery.Serving, minute(2)
	current, _, err := s.Current(t.Context(), "prod")
	wantEqual(t, "current", must(t, current, err), first)

	second := begin(t, s, 2, "prod")
	wantEqual(t, "what it replaces", second.Replaced, first.Release)
	accept(t, s, second.ID, 5)
	accept(t, s, first.ID, 6) // a step that ran again after kill -9
	list := listDeployments(t, s, port.DeploymentFilter{Environment: "prod"})
	if len(list) != 2 || list[0].ID != second.ID || list[0].State != delivery.Serving ||
		list[1].State != delivery.Replaced || !list[1].EndedAt.Equal(minute(5)) {
		t.Errorf("newest first, the older one replaced: %+v", list)
	}
	list, _, err = s.List(t.Context(), port.DeploymentFilter{Environment: "prod"}, port.Page{Limit: 1})
	wantEqual(t, "limit", len(must(t, list, err)), 1)
	wantFault(t, "accept an unknown deployment", s.Accept(t.Context(), 999, minute(1)), fault.NotFound)
	named, err := s.Begin(t.Context(), delivery.Deployment{Environment: "prod", Release: "r-000000000003", Run: numberedRun(3), Replaced: first.Release})
	wantEqual(t, "what it is said to replace", must(t, named, err).Replaced, first.Release)
}

func testDeploymentEnds(t *testing.T, s port.DeploymentStore) {
	for i, state := range []delivery.DeploymentState{delivery.RolledBack, delivery.Cancelled, delivery.Stuck, delivery.Held, delivery.Removed} {
		t.Run(string(state), func(t *testing.T) {
			d := begin(t, s, i+1, "prod")
			if i%2 == 0 {
				accept(t, s, d.ID, 1)
			}
			for n, reason := range []string{"first", "second"} {
				if err := s.End(t.Context(), d.ID, state, reason, minute(2+n)); err != nil {
					t.Fatal(err)
				}
			}
			list, _, err := s.List(t.Context(), port.DeploymentFilter{Environment: "prod"}, port.Page{Limit: 1})
			got := must(t, list, err)[0]
			if got.State != state || got.Reason != "first" || !got.EndedAt.Equal(minute(2)) {
				t.Errorf("ended: %+v", got)
			}
			wantFault(t, "accept one that has ended", s.Accept(t.Context(), d.ID, minute(4)), fault.Conflict)
			wantCurrent(t, s, "prod", 0)
		})
	}
}

func testEndRefuses(t *testing.T, s port.DeploymentStore) {
	d := begin(t, s, 9, "prod")
	for _, state := range []delivery.DeploymentState{delivery.Serving, delivery.Replaced, delivery.Deploying, "gone"} {
		wantFault(t, "end as "+string(state), s.End(t.Context(), d.ID, state, "", minute(1)), fault.Invalid)
	}
	wantFault(t, "end an unknown deployment", s.End(t.Context(), 999, delivery.Removed, "", minute(1)), fault.NotFound)
}

func testEnvironments(t *testing.T, s port.DeploymentStore) {
	prod, dev := begin(t, s, 1, "prod"), begin(t, s, 2, "dev")
	accept(t, s, prod.ID, 1)
	accept(t, s, dev.ID, 2)
	wantCurrent(t, s, "prod", prod.ID)
	wantCurrent(t, s, "dev", dev.ID)
	wantEqual(t, "all environments", len(listDeployments(t, s, port.DeploymentFilter{})), 2)
	wantEqual(t, "one environment", len(listDeployments(t, s, port.DeploymentFilter{Environment: "dev"})), 1)
	same, err := s.Begin(t.Context(), delivery.Deployment{Environment: "dev", Release: prod.Release, Run: prod.Run})
	if must(t, same, err).ID == prod.ID {
		t.Error("the same release in another environment is the same deployment")
	}
}

func listDeployments(t *testing.T, s port.DeploymentStore, f port.DeploymentFilter) []delivery.Deployment {
	t.Helper()
	list, err := port.Collect(port.AllDeployments(t.Context(), s, f))
	return must(t, list, err)
}

func testDeploymentFilter(t *testing.T, s port.DeploymentStore) {
	first, second, dev, failed := begin(t, s, 1, "prod"), begin(t, s, 2, "prod"), begin(t, s, 3, "dev"), begin(t, s, 4, "prod")
	accept(t, s, dev.ID, 5)
	accept(t, s, second.ID, 6)
	accept(t, s, first.ID, 7) // begun before, accepted after
	for _, d := range []delivery.Deployment{second, failed} {
		if err := s.End(t.Context(), d.ID, delivery.RolledBack, "errors", minute(8)); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		filter port.DeploymentFilter
		want   []int64
	}{
		"none":                    {port.DeploymentFilter{}, []int64{failed.ID, dev.ID, second.ID, first.ID}},
		"run":                     {port.DeploymentFilter{Run: dev.Run}, []int64{dev.ID}},
		"release":                 {port.DeploymentFilter{Release: second.Release}, []int64{second.ID}},
		"release elsewhere":       {port.DeploymentFilter{Environment: "dev", Release: second.Release}, nil},
		"accepted":                {port.DeploymentFilter{Accepted: true}, []int64{first.ID, second.ID, dev.ID}},
		"accepted in environment": {port.DeploymentFilter{Environment: "prod", Accepted: true}, []int64{first.ID, second.ID}},
		"accepted release":        {port.DeploymentFilter{Release: failed.Release, Accepted: true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []int64
			for _, d := range listDeployments(t, s, c.filter) {
				got = append(got, d.ID)
			}
			wantEqual(t, "deployments", got, c.want)
		})
	}
}

func testDeploymentPages(t *testing.T, s port.DeploymentStore) {
	for name, accepted := range map[string]bool{"all": false, "accepted": true} {
		t.Run(name, func(t *testing.T) {
			env := delivery.Environment(name)
			add := func(n int) string {
				d := begin(t, s, n, env)
				if accepted {
					accept(t, s, d.ID, n)
				}
				return fmt.Sprint(d.ID)
			}
			begin(t, s, 9, "elsewhere")
			var want []string
			for n := 1; n <= 5; n++ {
				want = append(want, add(n))
			}
			slices.Reverse(want)
			pages[delivery.Deployment]{
				list: func(ctx context.Context, p port.Page) ([]delivery.Deployment, port.Cursor, error) {
					return s.List(ctx, port.DeploymentFilter{Environment: env, Accepted: accepted}, p)
				},
				name: func(d delivery.Deployment) string { return fmt.Sprint(d.ID) },
				want: want, add: func() { add(6) },
			}.test(t)
		})
	}
}

func testDeploymentsPersist(t *testing.T, open func() port.DeploymentStore) {
	s := open()
	d := begin(t, s, 1, "prod")
	accept(t, s, d.ID, 2)
	wantCurrent(t, open(), "prod", d.ID)
}

func testAcceptConcurrently(t *testing.T, open func() port.DeploymentStore) {
	handles := []port.DeploymentStore{open(), open()}
	const n = 16
	ids := make([]int64, n)
	for i := range n {
		ids[i] = begin(t, handles[i%2], i+1, "prod").ID
	}
	concurrently(t, n, handles, func(s port.DeploymentStore, i int) error { return s.Accept(t.Context(), ids[i], minute(i)) })
	count := map[delivery.DeploymentState]int{}
	for _, d := range listDeployments(t, handles[0], port.DeploymentFilter{Environment: "prod"}) {
		count[d.State]++
	}
	wantEqual(t, "states", count, map[delivery.DeploymentState]int{delivery.Serving: 1, delivery.Replaced: n - 1})
	if _, ok, err := handles[1].Current(t.Context(), "prod"); !ok || err != nil {
		t.Errorf("current deployment: found %v, %v", ok, err)
	}
}
