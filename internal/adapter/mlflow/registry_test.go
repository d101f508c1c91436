package mlflow

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func TestRegistry_Conformance(t *testing.T) {
	porttest.TestModels(t, func(t *testing.T) func() port.ModelRegistry {
		f := newFakeServer(t)
		return func() port.ModelRegistry { return open(t, f.URL) }
	})
}

// open opens the registry as another process would.
func open(t *testing.T, address string) *Registry {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{Settings: func() (Settings, error) { return Settings{URL: u}, nil }})
}

const group = "retail"

func digestOf(n int) delivery.Digest { return delivery.DigestOf([]byte(fmt.Sprint(n))) }

func registered(t *testing.T, r *Registry) delivery.ModelVersion {
	t.Helper()
	v, err := r.Register(t.Context(), group, digestOf(1), delivery.Metrics{"accuracy": 0.9, "by class": map[string]any{"f1": 0.5}}, delivery.Lineage{Commit: "abc"})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (f *fakeServer) version(n int) *modelVersion {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.models[group].versions[n-1]
}

func approve(revises delivery.ModelStatus) delivery.ModelDecision {
	return delivery.ModelDecision{Status: delivery.Approved, Revises: revises, By: delivery.Actor{Name: "ana"}}
}

// edit sets a tag as a person does in MLflow's interface.
func edit(t *testing.T, r *Registry, v delivery.ModelVersion, value string) {
	t.Helper()
	c, err := r.connect()
	if err == nil {
		err = c.setTag(t.Context(), v.ModelRef, tagStatus, value)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// setAlias gives a version an alias as a person does in MLflow's interface.
func setAlias(t *testing.T, r *Registry, v delivery.ModelVersion, alias string) {
	t.Helper()
	c, err := r.connect()
	if err == nil {
		err = c.post(t.Context(), "set an alias", "registered-models/alias", versionField{Name: v.Group, Version: fmt.Sprint(v.Version), Alias: alias}, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// testOutside is how decisions of MLflow's interface are read.
func testOutside(t *testing.T, fresh func(t *testing.T) *Registry) {
	for name, c := range map[string]struct {
		do   func(t *testing.T, r *Registry, v delivery.ModelVersion)
		want delivery.ModelStatus
		log  []delivery.ModelStatus // of the decisions
	}{
		"approved":      {func(t *testing.T, r *Registry, v delivery.ModelVersion) { edit(t, r, v, " Approved") }, delivery.Approved, []delivery.ModelStatus{delivery.Approved}},
		"rejected":      {func(t *testing.T, r *Registry, v delivery.ModelVersion) { edit(t, r, v, "rejected") }, delivery.Rejected, []delivery.ModelStatus{delivery.Rejected}},
		"unknown":       {func(t *testing.T, r *Registry, v delivery.ModelVersion) { edit(t, r, v, "looks good") }, delivery.PendingApproval, nil},
		"by alias":      {func(t *testing.T, r *Registry, v delivery.ModelVersion) { setAlias(t, r, v, aliasApproved) }, delivery.Approved, []delivery.ModelStatus{delivery.Approved}},
		"another alias": {func(t *testing.T, r *Registry, v delivery.ModelVersion) { setAlias(t, r, v, "champion") }, delivery.PendingApproval, nil},
		"approval rejected": {func(t *testing.T, r *Registry, v delivery.ModelVersion) {
			decide(t, r, v, approve(""))
			edit(t, r, v, "rejected")
		}, delivery.Rejected, []delivery.ModelStatus{delivery.Approved, delivery.Rejected}},
		"approval taken back": {func(t *testing.T, r *Registry, v delivery.ModelVersion) {
			decide(t, r, v, approve(""))
			edit(t, r, v, "pending")
		}, delivery.PendingApproval, []delivery.ModelStatus{delivery.Approved}},
		"a rejection stays": {func(t *testing.T, r *Registry, v delivery.ModelVersion) {
			decide(t, r, v, delivery.ModelDecision{Status: delivery.Rejected, By: delivery.Actor{Name: "ana"}, Why: "biased"})
			edit(t, r, v, "approved")
			setAlias(t, r, v, aliasApproved)
		}, delivery.Rejected, []delivery.ModelStatus{delivery.Rejected}},
	} {
		t.Run(name, func(t *testing.T) {
			r := fresh(t)
			v := registered(t, r)
			c.do(t, r, v)
			got, err := r.Get(t.Context(), group, v.Version)
			if err != nil || got.Status != c.want {
				t.Errorf("status = %s, error = %v, want %s", got.Status, err, c.want)
			}
			decisions, err := r.Decisions(t.Context(), group, v.Version)
			var log []delivery.ModelStatus
			for _, d := range decisions {
				log = append(log, d.Status)
			}
			if diff := cmp.Diff(c.log, log); err != nil || diff != "" {
				t.Errorf("decisions, error %v (-want +got):\n%s", err, diff)
			}
			listed, _, err := r.List(t.Context(), port.ModelFilter{Group: group}, port.Page{})
			if diff := cmp.Diff([]delivery.ModelVersion{got}, listed); err != nil || diff != "" {
				t.Errorf("list, error %v (-want +got):\n%s", err, diff)
			}
		})
	}
	t.Run("is written down by the next decision", func(t *testing.T) {
		r := fresh(t)
		v := registered(t, r)
		edit(t, r, v, "approved")
		decide(t, r, v, delivery.ModelDecision{Status: delivery.Rejected, Revises: delivery.Approved, By: delivery.Actor{Name: "ana"}, Why: "biased"})
		decisions, err := r.Decisions(t.Context(), group, v.Version)
		if err != nil || len(decisions) != 2 || decisions[0].By.Means != delivery.MeansRegistry || decisions[0].At.IsZero() || decisions[1].By.Name != "ana" {
			t.Errorf("decisions = %+v, error = %v, want that of MLflow, then ana's", decisions, err)
		}
	})
}

func decide(t *testing.T, r *Registry, v delivery.ModelVersion, d delivery.ModelDecision) delivery.ModelVersion {
	t.Helper()
	got, err := r.Decide(t.Context(), v.ModelRef, d)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestRegistry_OutsideDecisions(t *testing.T) {
	testOutside(t, func(t *testing.T) *Registry { return open(t, newFakeServer(t).URL) })
}

func TestRegistry_ShowsItsDecisions(t *testing.T) {
	f := newFakeServer(t)
	r := open(t, f.URL)
	first := registered(t, r)
	second, err := r.Register(t.Context(), group, digestOf(2), nil, delivery.Lineage{})
	if err != nil {
		t.Fatal(err)
	}
	decide(t, r, first, approve(""))
	decide(t, r, second, approve(""))
	if f.models[group].aliases[aliasApproved] != second.Version || f.version(2).tag(tagStatus) != saidApproved {
		t.Errorf("aliases = %v, tag = %q, want the newest approved version", f.models[group].aliases, f.version(2).tag(tagStatus))
	}
	decide(t, r, second, delivery.ModelDecision{Status: delivery.Rejected, Why: "biased"})
	if f.models[group].aliases[aliasApproved] != first.Version || f.version(2).tag(tagStatus) != saidRejected {
		t.Errorf("aliases = %v, tag = %q, want the one before", f.models[group].aliases, f.version(2).tag(tagStatus))
	}
	decide(t, r, first, delivery.ModelDecision{Status: delivery.Rejected, Why: "biased"})
	if len(f.models[group].aliases) != 0 {
		t.Errorf("aliases = %v, want none", f.models[group].aliases)
	}
	var numbers []string
	for _, m := range f.runs[f.version(1).RunID].metrics {
		numbers = append(numbers, m.Key)
	}
	slices.Sort(numbers)
	if want := []string{"accuracy", "by_class.f1"}; !slices.Equal(numbers, want) {
		t.Errorf("metrics of the run = %q, want %q", numbers, want)
	}
}

// TestRegistry_KilledAtEveryCall stops a process after each of its requests, once before
// MLflow did the work and once after: the next process finds one version and one decision.
func TestRegistry_KilledAtEveryCall(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at := 1; ; at++ {
			f := newFakeServer(t)
			ctx, kill := context.WithCancelCause(t.Context())
			var calls atomic.Int64
			stop := func(*http.Request) bool {
				if calls.Add(1) == int64(at) {
					kill(errors.New("killed"))
				}
				return calls.Load() >= int64(at)
			}
			if after {
				f.lose = stop
			} else {
				f.refuse = func(_ int, r *http.Request) int { return map[bool]int{true: 503}[stop(r)] }
			}
			first := open(t, f.URL)
			v, err := first.Register(ctx, group, digestOf(1), nil, delivery.Lineage{})
			if err == nil {
				_, err = first.Decide(ctx, v.ModelRef, approve(delivery.PendingApproval))
			}
			kill(nil)
			if f.mu.Lock(); true {
				f.lose, f.refuse = nil, nil
				f.mu.Unlock()
			}
			second := open(t, f.URL)
			got, err2 := second.Register(t.Context(), group, digestOf(1), nil, delivery.Lineage{})
			if err2 == nil && got.Status == delivery.PendingApproval {
				got, err2 = second.Decide(t.Context(), got.ModelRef, approve(delivery.PendingApproval))
			}
			all, _, err3 := second.List(t.Context(), port.ModelFilter{}, port.Page{})
			decisions, err4 := second.Decisions(t.Context(), group, got.Version)
			if errs := errors.Join(err2, err3, err4); errs != nil || len(all) != 1 || len(decisions) != 1 || all[0].Status != delivery.Approved {
				t.Errorf("killed at %d, after the work %v: %+v, %+v, error = %v", at, after, all, decisions, errs)
			}
			if err == nil {
				if at < 10 {
					t.Errorf("the process made %d requests only", at)
				}
				break
			}
		}
	}
}

func TestRegistry_Retries(t *testing.T) {
	f := newFakeServer(t)
	f.refuse = func(n int, _ *http.Request) int { return map[int]int{0: 429, 1: 503}[n%4] }
	var lost atomic.Int64
	f.lose = func(r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "model-versions/create") && lost.Add(1) == 1
	}
	r := open(t, f.URL)
	v := registered(t, r)
	decide(t, r, v, approve(delivery.PendingApproval))
	if len(f.models[group].versions) != 1 {
		t.Errorf("%d versions were made, want one: the response of the first request was lost", len(f.models[group].versions))
	}
}

func TestRegistry_Refusals(t *testing.T) {
	f := newFakeServer(t)
	r := open(t, f.URL)
	v := registered(t, r)
	t.Run("edited content", func(t *testing.T) {
		c, _ := r.connect()
		for _, key := range []string{tagDigest, tagMetrics, tagLineage} {
			old := f.version(1).tag(key)
			_ = c.setTag(t.Context(), v.ModelRef, key, strings.Replace(old+" ", "0.9", "0.99", 1))
			if _, err := r.Get(t.Context(), group, 1); !fault.Is(err, fault.Corrupt) {
				t.Errorf("%s edited: error = %v, want %s", key, err, fault.Corrupt)
			}
			_ = c.setTag(t.Context(), v.ModelRef, key, old)
		}
		if _, err := r.Get(t.Context(), group, 1); err != nil {
			t.Errorf("restored: %v", err)
		}
	})
	t.Run("long reason", func(t *testing.T) {
		d := delivery.ModelDecision{Status: delivery.Rejected, Why: strings.Repeat("x", maxParam)}
		if _, err := r.Decide(t.Context(), v.ModelRef, d); !fault.Is(err, fault.Invalid) {
			t.Errorf("error = %v, want %s", err, fault.Invalid)
		}
	})
	t.Run("group with a quote", func(t *testing.T) {
		if _, err := r.Register(t.Context(), "a' OR name != '", digestOf(3), nil, delivery.Lineage{}); !fault.Is(err, fault.Invalid) {
			t.Errorf("error = %v, want %s", err, fault.Invalid)
		}
	})
	t.Run("version of others", func(t *testing.T) {
		f.version(1).Tags = nil
		if _, err := r.Get(t.Context(), group, 1); !fault.Is(err, fault.NotFound) || !strings.Contains(fault.HintOf(err), "models add") {
			t.Errorf("error = %v, want %s with a hint", err, fault.NotFound)
		}
	})
	t.Run("credentials", func(t *testing.T) {
		f.refuse = func(int, *http.Request) int { return http.StatusForbidden }
		if _, err := r.Get(t.Context(), group, 1); !fault.Is(err, fault.Denied) {
			t.Errorf("error = %v, want %s", err, fault.Denied)
		}
	})
}

func TestRegistry_SendsCredentials(t *testing.T) {
	for want, s := range map[string]Settings{"Bearer t0ken": {Token: "t0ken"}, "Basic YW5hOnBhc3M=": {Username: "ana", Password: "pass"}, "": {}} {
		t.Run(want, func(t *testing.T) {
			f := newFakeServer(t)
			s.URL, _ = url.Parse(f.URL)
			registered(t, New(Config{Settings: func() (Settings, error) { return s, nil }, Clock: time.Now}))
			if f.authorized != want {
				t.Errorf("Authorization = %q, want %q", f.authorized, want)
			}
		})
	}
}
