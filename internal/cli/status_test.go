package cli_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/filetrust"
	"github.com/slipway-cd/slipway/internal/flock"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/step"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", file, diff)
	}
}

// noon is when the statuses of this test are looked at: in Ho Chi Minh City.
var noon = time.Date(2026, 11, 29, 5, 0, 0, 0, time.UTC)

// history writes the records of a project in the past.
type history struct {
	t       *testing.T
	store   *sqlite.Store
	dir     string
	at      time.Time
	runs    int
	current delivery.ReleaseID
}

// newStatusProgram returns a program that looks at a history at noon.
func newStatusProgram(t *testing.T, write func(*history, *program)) *program {
	t.Helper()
	p := newProgram(t)
	h := &history{t: t, dir: p.dir, at: noon.Add(-26 * time.Hour)}
	p.clock = func() time.Time { return h.at }
	p.zone = time.FixedZone("+07", 7*3600)
	p.observe = func(delivery.Environment) (port.Observation, error) { return port.Observation{}, nil }
	var err error
	h.store, err = sqlite.Open(t.Context(), filepath.Join(p.dir, ".slipway", "slipway.db"), "api", p.clock)
	if err != nil {
		t.Fatal(err)
	}
	markMadeHere(t, filepath.Join(p.dir, ".slipway"))
	write(h, p)
	h.must(h.store.Close())
	h.at = noon
	return p
}

func (h *history) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *history) wait(d time.Duration) { h.at = h.at.Add(d) }

// run queues a run of the environment.
func (h *history) run(env delivery.Environment) record.Run {
	h.t.Helper()
	h.runs++
	id := delivery.RunID(fmt.Sprintf("%s-%04d", h.at.Format("20060102-150405"), h.runs))
	host, _ := os.Hostname()
	watch, err := json.Marshal(step.WatchParams{Bake: delivery.Duration(10 * time.Minute)})
	h.must(err)
	r, err := h.store.Runs().Enqueue(h.t.Context(), record.Run{
		RunSummary: record.RunSummary{ID: id, Environment: env, By: delivery.Actor{Name: "ann"}, Host: host, CreatedAt: h.at},
		Plan: plan.Plan{
			Version: 1, Purpose: plan.Deliver, Run: id, Service: "api", Environment: env, Commit: delivery.Commit{SHA: strings.Repeat("c", 40)},
			Steps: []step.Spec{{Name: "train", Kind: step.Train}, {Name: "deploy", Kind: step.Deploy}, {Name: "watch", Kind: step.Watch, Params: watch}},
		},
	})
	h.must(err)
	return r
}

// end ends a run, or lets it wait.
func (h *history) end(r record.Run, outcome delivery.Outcome, cause, hint string) {
	h.t.Helper()
	h.must(h.store.Runs().Finish(h.t.Context(), r.ID, record.RunResult{Outcome: outcome, Cause: cause, Hint: hint, At: h.at}))
}

// start lets a run begin a step.
func (h *history) start(r record.Run, name string, kind step.Kind) {
	h.t.Helper()
	h.must(h.store.Runs().Start(h.t.Context(), r.ID, 1, r.Host, h.at))
	h.must(h.store.Runs().SaveStep(h.t.Context(), record.StepRecord{Run: r.ID, Name: name, Kind: kind, Attempt: 1, Begun: h.at}))
}

// release makes a release of the run.
func (h *history) release(r record.Run, dirty bool) delivery.ReleaseRecord {
	h.t.Helper()
	rel, err := h.store.Releases().Save(h.t.Context(), delivery.Release{
		Schema: delivery.ReleaseForm, Service: "api", Image: delivery.Image{Repository: "127.0.0.1:5000/retail-price-sensitivity-api", Digest: delivery.DigestOf([]byte(r.ID))},
		Model:    &delivery.ModelRef{Group: "retail-price-sensitivity-models", Version: 3, Digest: delivery.DigestOf([]byte("model"))},
		Workload: delivery.Workload{Replicas: 2, Health: "/health"},
	}, delivery.Origin{Run: r.ID, Commit: r.Commit, Dirty: dirty})
	h.must(err)
	return rel
}

// begin begins a deployment.
func (h *history) begin(r record.Run, rel delivery.ReleaseRecord) delivery.Deployment {
	h.t.Helper()
	d, err := h.store.Deployments().Begin(h.t.Context(), delivery.Deployment{
		Environment: r.Environment, Release: rel.ID, Run: r.ID, By: "ann", Commit: r.Commit, Replaced: h.current, StartedAt: h.at,
	})
	h.must(err)
	return d
}

// deliver delivers a release from the run's start to its acceptance.
func (h *history) deliver(env delivery.Environment, dirty bool) delivery.ReleaseID {
	h.t.Helper()
	r := h.run(env)
	rel := h.release(r, dirty)
	d := h.begin(r, rel)
	h.wait(11 * time.Minute)
	h.must(h.store.Deployments().Accept(h.t.Context(), d.ID, h.at))
	h.end(r, delivery.OutcomeDeployed, "", "")
	h.current = rel.ID
	h.wait(time.Hour)
	return rel.ID
}

// fail delivers a release that is rolled back and quarantined.
func (h *history) fail(env delivery.Environment, reason string) {
	h.t.Helper()
	r := h.run(env)
	rel := h.release(r, false)
	d := h.begin(r, rel)
	h.wait(time.Minute)
	h.must(h.store.Deployments().End(h.t.Context(), d.ID, delivery.RolledBack, reason, h.at))
	h.must(h.store.Releases().Quarantine(h.t.Context(), delivery.Quarantine{Release: rel.ID, Environment: env, Reason: reason, Since: h.at, Run: r.ID}))
	h.end(r, delivery.OutcomeRolledBack, reason, "")
	h.wait(time.Hour)
}

// serves makes a release what the target has, with two replicas that are ready.
func (p *program) serves(id delivery.ReleaseID, more ...port.Replica) {
	p.observe = func(env delivery.Environment) (port.Observation, error) {
		if env != "prod" {
			return port.Observation{}, nil
		}
		return port.Observation{Release: id, URL: "http://127.0.0.1:18591", Replicas: append([]port.Replica{
			{Name: "api-1", Release: id, State: port.ReplicaReady}, {Name: "api-2", Release: id, State: port.ReplicaReady},
		}, more...)}, nil
	}
}

// uses makes the replicas report whether they opened the model.
func (p *program) uses(use port.ModelUse) {
	observe := p.observe
	p.observe = func(env delivery.Environment) (port.Observation, error) {
		o, err := observe(env)
		for i := range o.Replicas {
			o.Replicas[i].ModelOpened = use
		}
		return o, err
	}
}

const longCause = `GET /health: status 500 Internal Server Error, want 200: {"detail":"Traceback (most recent call last): ` +
	`File \"/app/server/main.py\", line 41, in health\n    raise RuntimeError(\"the model could not be loaded\")"}
the last lines of the log:
INFO:     127.0.0.1:51234 - "GET /health HTTP/1.1" 500 Internal Server Error`

// statuses are the states of an environment.
var statuses = map[string]func(*history, *program){
	"nothing deployed": func(*history, *program) {},
	"serving":          func(h *history, p *program) { p.serves(h.deliver("prod", false)) },
	"replaced": func(h *history, p *program) {
		h.deliver("prod", false)
		p.serves(h.deliver("prod", false))
	},
	"dirty": func(h *history, p *program) { p.serves(h.deliver("prod", true)) },
	"starting": func(h *history, p *program) {
		p.serves(h.deliver("prod", false))
		h.at = noon.Add(-4 * time.Minute)
		r := h.run("prod")
		h.start(r, "deploy", step.Deploy)
		h.begin(r, h.release(r, false))
		h.hold(r)
	},
	"model opened": func(h *history, p *program) {
		id := h.deliver("prod", false)
		p.serves(id)
		p.uses(port.ModelOpened)
	},
	"model not opened": func(h *history, p *program) {
		id := h.deliver("prod", false)
		p.serves(id)
		p.uses(port.ModelNotOpened)
	},
	"baking": func(h *history, p *program) {
		h.deliver("prod", false)
		h.at = noon.Add(-4 * time.Minute)
		r := h.run("prod")
		rel := h.release(r, false)
		h.begin(r, rel)
		h.start(r, "watch", step.Watch)
		h.hold(r)
		p.serves(rel.ID)
	},
	"waiting": func(h *history, p *program) {
		p.serves(h.deliver("prod", false))
		r := h.run("prod")
		h.end(r, delivery.OutcomeWaiting, "0 of 1 approvals for prod", "slipway approve "+string(r.ID))
	},
	"overtaken": func(h *history, p *program) {
		r := h.run("prod")
		h.end(r, delivery.OutcomeWaiting, "0 of 1 approvals for prod", "slipway approve "+string(r.ID))
		h.wait(time.Minute)
		p.serves(h.deliver("prod", false))
	},
	"killed": func(h *history, p *program) {
		p.serves(h.deliver("prod", false))
		h.at = noon.Add(-12 * time.Minute)
		h.start(h.run("prod"), "train", step.Train)
	},
	// Who has the traffic where the records lag behind: they were removed (L11), the
	// disk was full from the switch on (L18d), the process ended in the bake (L20).
	"records lost": func(h *history, p *program) { p.serves("r-bf816f11ac46") },
	"disk full in the bake": func(h *history, p *program) {
		h.deliver("prod", false)
		h.at = noon.Add(-4 * time.Minute)
		r := h.run("prod")
		rel := h.release(r, false)
		h.begin(r, rel)
		h.start(r, "deploy", step.Deploy)
		p.serves(rel.ID)
	},
	"killed in the bake": func(h *history, p *program) {
		old := h.deliver("prod", false)
		h.at = noon.Add(-4 * time.Minute)
		r := h.run("prod")
		rel := h.release(r, false)
		h.begin(r, rel)
		h.start(r, "watch", step.Watch)
		p.serves(rel.ID, port.Replica{Name: "api-0", Release: old, State: port.ReplicaDraining})
	},
	"killed in the first bake": func(h *history, p *program) {
		h.at = noon.Add(-4 * time.Minute)
		r := h.run("prod")
		rel := h.release(r, false)
		h.begin(r, rel)
		h.start(r, "watch", step.Watch)
		p.serves(rel.ID)
	},
	"running and queued": func(h *history, p *program) {
		p.serves(h.deliver("prod", false))
		h.at = noon.Add(-12 * time.Minute)
		r := h.run("prod")
		h.start(r, "train", step.Train)
		h.hold(r)
		h.wait(time.Minute)
		h.hold(h.run("prod"))
	},
	"quarantined": func(h *history, p *program) {
		good := h.deliver("prod", false)
		h.fail("prod", longCause)
		p.serves(good)
	},
	"quarantined, many": func(h *history, p *program) {
		good := h.deliver("prod", false)
		for i := range 5 {
			h.fail("prod", fmt.Sprintf("smoke predict: status 50%d, want 200", i))
		}
		p.serves(good)
	},
	"degraded": func(h *history, p *program) {
		id := h.deliver("prod", false)
		p.serves(id, port.Replica{Name: "api-3", Release: id, State: port.ReplicaBackoff, Restarts: 7, Cause: longCause})
	},
	"unreachable": func(h *history, p *program) {
		h.deliver("prod", false)
		p.observe = func(delivery.Environment) (port.Observation, error) {
			return port.Observation{}, fault.New(fault.Unavailable, "reach the cluster: Get https://api.cluster.example.com:6443: dial tcp: lookup api.cluster.example.com: no such host")
		}
	},
	"taken down": func(h *history, p *program) {
		h.deliver("prod", false)
		all, _, err := h.store.Deployments().List(h.t.Context(), port.DeploymentFilter{Environment: "prod"}, port.Page{Limit: 1})
		h.must(err)
		h.must(h.store.Deployments().End(h.t.Context(), all[0].ID, delivery.Removed, "taken down by ann", h.at))
	},
	"everything at once": func(h *history, p *program) {
		h.deliver("prod", true)
		for range 6 {
			h.fail("prod", longCause)
		}
		for range 5 {
			r := h.run("prod")
			h.end(r, delivery.OutcomeWaiting, "model retail-price-sensitivity-models:4 is pending approval; 0 of 2 approvals for prod, not counting ann, who started the run",
				"slipway approve retail-price-sensitivity-models:4; slipway approve "+string(r.ID))
			h.wait(time.Minute)
		}
		h.at = noon.Add(-4 * time.Minute)
		r := h.run("prod")
		rel := h.release(r, false)
		h.begin(r, rel)
		h.start(r, "watch", step.Watch)
		for range 4 {
			h.wait(time.Second)
			h.run("prod")
		}
		var failing []port.Replica
		for i := range 4 {
			failing = append(failing, port.Replica{Name: fmt.Sprintf("api-%d", i+3), Release: rel.ID, State: port.ReplicaBackoff, Restarts: 7, Cause: longCause})
		}
		p.serves(rel.ID, failing...)
		observe := p.observe
		p.observe = func(env delivery.Environment) (port.Observation, error) {
			o, err := observe(env)
			if env != "prod" {
				return o, err
			}
			o.Notes = []string{longCause, "memory limit not enforced: the user has no cgroup", "cpu limit not enforced: the user has no cgroup", longCause}
			return o, err
		}
	},
}

// hold makes a run one that a process runs.
func (h *history) hold(r record.Run) {
	h.t.Helper()
	dir := filepath.Join(h.dir, ".slipway", "locks")
	h.must(os.MkdirAll(dir, 0o755))
	lock, err := flock.TryLock(filepath.Join(dir, "run-"+string(r.ID)))
	h.must(err)
	h.t.Cleanup(func() { lock.Close() })
}

// wantScreen checks that a text fits on a screen.
func wantScreen(t *testing.T, text string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) > 24 {
		t.Errorf("%d lines, want at most 24:\n%s", len(lines), text)
	}
	for _, line := range lines {
		if n := utf8.RuneCountInString(line); n > 80 {
			t.Errorf("a line of %d columns, want at most 80:\n%s", n, line)
		}
	}
}

// The status of every state fits on a screen, alone and beside a second environment.
func TestStatus_Screens(t *testing.T) {
	for name, write := range statuses {
		t.Run(name, func(t *testing.T) {
			p := newStatusProgram(t, write)
			got := p.run("status", "--env", "prod")
			if got.code != 0 || got.stderr != "" {
				t.Fatalf("exit code %d: %s", got.code, got.stderr)
			}
			wantScreen(t, got.stdout)
			golden(t, "status/"+strings.ReplaceAll(strings.ReplaceAll(name, ",", ""), " ", "-")+".txt", got.stdout)
			both := p.run("status")
			if both.code != 0 || !strings.Contains(both.stdout, "dev  nothing deployed") {
				t.Errorf("exit code %d: %s%s", both.code, both.stdout, both.stderr)
			}
			wantScreen(t, both.stdout)
		})
	}
}

// TestStatus_NamesWhatHasTraffic: the first line is about what users get, whatever is
// recorded, and the rest says how to go on.
func TestStatus_NamesWhatHasTraffic(t *testing.T) {
	for name, want := range map[string]struct{ headline, more string }{
		"records lost":             {"healthy  has the traffic, but is not recorded", "these records don't have release"},
		"disk full in the bake":    {"healthy  has the traffic; accepted: r-", "slipway run --resume"},
		"killed in the bake":       {"healthy  has the traffic; accepted: r-", "slipway run --resume"},
		"killed in the first bake": {"healthy  has the traffic, not accepted yet", "slipway run --resume"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newStatusProgram(t, statuses[name])
			got := p.run("status", "--env", "prod").stdout
			first, rest, _ := strings.Cut(got, "\n")
			serving := p.status("prod").Traffic
			if serving == "" || !strings.HasPrefix(first, "prod  "+string(serving)+"  "+want.headline) || !strings.Contains(rest, want.more) {
				t.Errorf("%s has the traffic, but the screen is\n%s\nwant %q and %q", serving, got, want.headline, want.more)
			}
		})
	}
}

// However many environments there are, they share one screen.
func TestStatus_ManyEnvironments(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 8, 13, 24, 25, 60} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			file := strings.Split(projectFile, "environments:")[0] + "environments:\n  prod: {on: {push: main}, target: {local: {}}, approvals: 1}\n"
			for i := range n - 1 {
				file += fmt.Sprintf("  stage-%d: {on: {push: stage-%d}, target: {local: {}}}\n", i, i)
			}
			p := newStatusProgram(t, statuses["everything at once"])
			p.useFile(file)
			got := p.run("status")
			if got.code != 0 {
				t.Fatalf("exit code %d: %s", got.code, got.stderr)
			}
			wantScreen(t, got.stdout)
			if n == 5 {
				golden(t, "status/five-environments.txt", got.stdout)
			}
		})
	}
}

// The document names what a screen shows.
func TestStatus_JSON(t *testing.T) {
	p := newStatusProgram(t, statuses["baking"])
	st := p.status("prod")
	if st.Bake == nil || st.Bake.Until() != noon.Add(6*time.Minute) || st.Traffic != st.InProgress.Release || st.Traffic == st.Release {
		t.Errorf("bake %+v, traffic %s, entering %+v", st.Bake, st.Traffic, st.InProgress)
	}
	if len(st.Runs) != 1 || st.Runs[0].State != "running" || st.Runs[0].Step != "watch" {
		t.Errorf("runs %+v, want one that is at watch", st.Runs)
	}
	if raw := p.run("status", "--env", "prod", "--json").stdout; !strings.Contains(raw, `"since": "2026-11-28T`) || !strings.Contains(raw, `Z"`) {
		t.Errorf("times are not in UTC:\n%s", raw)
	}
	killed := newStatusProgram(t, statuses["killed"]).status("prod")
	if len(killed.Runs) != 1 || killed.Runs[0].State != "killed" || !strings.Contains(killed.Runs[0].Hint, "slipway run --resume "+string(killed.Runs[0].Run)) {
		t.Errorf("runs %+v, want one that was killed", killed.Runs)
	}
}

// markMadeHere marks a state folder that a test has filled as one that Slipway made here.
func markMadeHere(t *testing.T, home string) {
	t.Helper()
	id, known := filetrust.Identity(home)
	if !known {
		return
	}
	if err := os.WriteFile(filepath.Join(home, "origin"), []byte(id+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}
