package history

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

const (
	service = "api"
	env     = delivery.Environment("prod")
)

// deployed is a history of n runs; only those of good were accepted.
func deployed(t *testing.T, w *fake.Environment, n int, good ...int) []delivery.ReleaseRecord {
	t.Helper()
	var out []delivery.ReleaseRecord
	for i := range n {
		rel, err := w.Records.Releases().Save(t.Context(), delivery.Release{Schema: delivery.ReleaseForm, Service: service, Image: delivery.Image{Digest: fake.Digest(i)}}, delivery.Origin{Run: "r"})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, rel)
		d, err := w.Records.Deployments().Begin(t.Context(), delivery.Deployment{Environment: env, Release: rel.ID, Run: delivery.RunID(fmt.Sprint("run-", i))})
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(good, i) {
			err = w.Records.Deployments().Accept(t.Context(), d.ID, time.Date(2026, 1, 1, i, 0, 0, 0, time.UTC))
		} else {
			err = w.Records.Deployments().End(t.Context(), d.ID, delivery.RolledBack, "it was wrong", time.Time{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func records(w *fake.Environment) Records {
	return Records{Deployments: w.Records.Deployments(), Releases: w.Records.Releases()}
}

// TestPublish_KeepsNewestAndAccepted: the newest ones, and those that can be
// rolled back to, however old.
func TestPublish_KeepsNewestAndAccepted(t *testing.T) {
	for _, c := range []struct {
		name string
		n    int
		good []int
		want []int // newest first
	}{
		{"nothing", 0, nil, nil},
		{"few", 3, []int{0, 2}, []int{2, 1, 0}},
		{"many", 14, []int{13}, []int{13, 12, 11, 10, 9, 8, 7, 6, 5, 4}},
		{"good ones long ago", 16, []int{0, 1, 2, 3}, []int{15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 3, 2, 1}},
		{"good ones now and then", 14, []int{0, 1, 2, 12}, []int{13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 2, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := fake.NewEnvironment()
			all := deployed(t, w, c.n, c.good...)
			target := &fake.TargetWithHistory{Target: w.Target}
			if err := records(w).Publish(t.Context(), target, service, env); err != nil {
				t.Fatal(err)
			}
			got, err := target.LoadHistory(t.Context(), service, env)
			if err != nil {
				t.Fatal(err)
			}
			var deployments, releases, want []delivery.ReleaseID
			for _, d := range got.Deployments {
				deployments = append(deployments, d.Release)
			}
			for _, r := range got.Releases {
				releases = append(releases, r.ID)
			}
			for _, n := range c.want {
				want = append(want, all[n].ID)
			}
			if !slices.Equal(deployments, want) || !slices.Equal(releases, want) {
				t.Errorf("published deployments %v and releases %v, want %v", deployments, releases, want)
			}
		})
	}
}

func TestPublish_ListsReleaseOnce(t *testing.T) {
	w := fake.NewEnvironment()
	rel := w.Release(1)
	for i := range 3 {
		if _, err := w.Records.Deployments().Begin(t.Context(), delivery.Deployment{Environment: env, Release: rel.ID, Run: delivery.RunID(fmt.Sprint(i))}); err != nil {
			t.Fatal(err)
		}
	}
	target := &fake.TargetWithHistory{Target: w.Target}
	if err := records(w).Publish(t.Context(), target, service, env); err != nil {
		t.Fatal(err)
	}
	if got, _ := target.LoadHistory(t.Context(), service, env); len(got.Deployments) != 3 || len(got.Releases) != 1 {
		t.Errorf("published %d deployments and %d releases, want 3 and 1", len(got.Deployments), len(got.Releases))
	}
}

// TestHistory_ReadsNoMoreThanNeeded: a long history is not read for a single entry.
func TestHistory_ReadsNoMoreThanNeeded(t *testing.T) {
	w := fake.NewEnvironment()
	rel := w.Release(1)
	for i := range 5 * port.DefaultPageSize {
		if _, err := w.Records.Deployments().Begin(t.Context(), delivery.Deployment{Environment: env, Release: rel.ID, Run: delivery.RunID(fmt.Sprint(i))}); err != nil {
			t.Fatal(err)
		}
	}
	target := &fake.TargetWithHistory{Target: w.Target}
	rec := records(w)
	for name, c := range map[string]struct {
		run   func() error
		lists int
	}{
		"publish":       {func() error { return rec.Publish(t.Context(), target, service, env) }, 2},
		"check current": {func() error { return rec.CheckCurrent(t.Context(), target, service, env) }, 0}, // nothing was accepted
		"deployment of a run that began none": {func() error {
			_, _, err := DeploymentOfRun(t.Context(), rec.Deployments, step.Request{Environment: env, Run: "new"})
			return err
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			lists := 0
			w.Records.Fail = func(method string) error {
				if method == "Deployments.List" {
					lists++
				}
				return nil
			}
			if err := c.run(); err != nil {
				t.Fatal(err)
			}
			if lists != c.lists {
				t.Errorf("read %d pages of the history, want %d", lists, c.lists)
			}
		})
	}
}

func TestPublish_Errors(t *testing.T) {
	w := fake.NewEnvironment()
	deployed(t, w, 1, 0)
	if err := records(w).Publish(t.Context(), w.Target, service, env); err != nil {
		t.Errorf("a target without a history: %v", err)
	}
	why := errors.New("no")
	target := &fake.TargetWithHistory{Target: w.Target}
	target.History.Fail = func(string) error { return why }
	if err := records(w).Publish(t.Context(), target, service, env); !errors.Is(err, why) {
		t.Errorf("the target refuses: %v", err)
	}
	for _, method := range []string{"Deployments.List", "Releases.Get"} {
		t.Run(method, func(t *testing.T) {
			w.Records.Fail = func(m string) error {
				if m == method {
					return why
				}
				return nil
			}
			if err := records(w).Publish(t.Context(), &fake.TargetWithHistory{Target: w.Target}, service, env); !errors.Is(err, why) {
				t.Errorf("%s fails: %v", method, err)
			}
		})
	}
}
