package cli_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
)

// newAnchoredProgram returns one whose environment dev was deployed from the log A, as
// of its entry 3.
func newAnchoredProgram(t *testing.T) *program {
	t.Helper()
	p := newProgram(t)
	p.anchored = &fake.AnchoredTarget{TargetWithHistory: &fake.TargetWithHistory{Target: p.target}}
	p.log = fake.NewRecordLog("A", 1, 2, 3)
	before := port.Anchor{Mark: fake.NewRecordLog("A", 1, 2, 3).Mark(3)}
	if err := p.anchored.SetAnchor(t.Context(), "api", "dev", port.LogMark{}, before); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *program) anchorOf(env delivery.Environment) port.Anchor {
	p.t.Helper()
	a, err := p.anchored.Anchor(p.t.Context(), "api", env)
	if err != nil {
		p.t.Fatal(err)
	}
	return a
}

// What a run may do depends on whether the records are those of the environment.
func TestRun_Log(t *testing.T) {
	for _, c := range []struct {
		name string
		log  port.RecordLog // nil: none
		says string         // "": it deploys
	}{
		{"the environment's", fake.NewRecordLog("A", 1, 2, 3, 4), ""},
		{"another", fake.NewRecordLog("B", 1), "dev belongs to the shared state A, and this run uses B"},
		{"rolled back", fake.NewRecordLog("A", 1), "was rolled back or replaced"},
		{"none", nil, "dev belongs to the shared state A, and this run has none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newAnchoredProgram(t)
			p.log = c.log
			if got := p.run("run", "--env", "dev", "--until", "build"); got.code != 0 {
				t.Errorf("a run that deploys nothing: exit code %d\n%s", got.code, got.stderr)
			}
			p.ran = nil
			plan, run := p.run("plan", "--env", "dev"), p.run("run", "--env", "dev")
			if c.says == "" {
				if plan.code != 0 || run.code != 0 || len(p.ran) == 0 {
					t.Errorf("exit codes %d of plan and %d of run, %d steps\n%s%s", plan.code, run.code, len(p.ran), plan.stderr, run.stderr)
				}
				return
			}
			for name, got := range map[string]output{"plan": plan, "run": run} {
				if got.code == 0 || !strings.Contains(got.stderr, c.says) || !strings.Contains(got.stderr, "slipway state adopt --env dev --why") {
					t.Errorf("%s: exit code %d, want a refusal: ... %s\n%s", name, got.code, c.says, got.stderr)
				}
			}
			if len(p.ran) > 0 {
				t.Errorf("%v ran, want nothing", p.ran)
			}
			if got := p.run("status", "--env", "dev"); got.code != 0 || !strings.Contains(got.stdout+got.stderr, c.says) {
				t.Errorf("status: exit code %d, want 0 and a note: ... %s\n%s%s", got.code, c.says, got.stdout, got.stderr)
			}
			if got := p.run("state", "show"); got.code != 0 || !strings.Contains(got.stdout, c.says) {
				t.Errorf("state show: exit code %d, want ... %s\n%s%s", got.code, c.says, got.stdout, got.stderr)
			}
			if got := p.run("run", "--env", "prod"); got.code != 0 {
				t.Errorf("a run in an environment that no log has deployed to: exit code %d, want 0\n%s", got.code, got.stderr)
			}
		})
	}
}

// An operator may say that another log is the right one: who and why stays with the
// target, and what it has of the history is in the records.
func TestStateAdopt(t *testing.T) {
	p := newAnchoredProgram(t)
	p.log = fake.NewRecordLog("B", 7, 8)
	serving := serveHistory(t, p.anchored)
	if got := p.run("state", "adopt", "--env", "dev"); got.code != 2 || !strings.Contains(got.stderr, "--why") {
		t.Errorf("without a reason: exit code %d, want 2\n%s", got.code, got.stderr)
	}
	if got := p.run("state", "adopt", "--why", "moved"); got.code != 2 {
		t.Errorf("without an environment: exit code %d, want 2\n%s", got.code, got.stderr)
	}
	mine := p.environ
	p.environ = append(slices.Clone(mine), "GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME=pull_request", "GITHUB_BASE_REF=main")
	if got := p.run("state", "adopt", "--env", "dev", "--why", "let me in"); got.code == 0 || !strings.Contains(got.stderr, "a pull request can't choose") || p.anchorOf("dev").Mark.Log != "A" {
		t.Errorf("in the job of a pull request: exit code %d, want a refusal\n%s", got.code, got.stderr)
	}
	p.environ = mine
	got := p.run("state", "adopt", "--env", "dev", "--why", "the bucket was moved")
	if want := "dev belongs to the shared state B, as of entry 2\n"; got.code != 0 || got.stdout != want {
		t.Errorf("exit code %d, stdout %q, want %q\n%s", got.code, got.stdout, want, got.stderr)
	}
	if want := "dev belongs to the shared state B (entry 2) now, and belonged to the shared state A (entry 3): adopted by ann: the bucket was moved"; !strings.Contains(got.stderr, want) {
		t.Errorf("stderr %q, want %q in it", got.stderr, want)
	}
	a := p.anchorOf("dev")
	if d := a.Adopted; a.Mark != fake.NewRecordLog("B", 7, 8).Mark(2) || d == nil || d.By.Name != "ann" || d.Why != "the bucket was moved" || d.From.Log != "A" || d.At.IsZero() {
		t.Errorf("anchor = %+v, %+v, want the decision of ann", a, a.Adopted)
	}
	if got := p.run("status", "--env", "dev", "--json"); decode[app.Status](t, got).Release != serving {
		t.Errorf("the history of the target was not imported:\n%s", got.stdout)
	}
	if got := p.run("state", "show"); got.code != 0 || !strings.Contains(got.stdout, "dev          belongs to this state, as of entry 2 (adopted by ann, ") {
		t.Errorf("state show: exit code %d, want who adopted dev\n%s%s", got.code, got.stdout, got.stderr)
	}
	if got := p.run("run", "--env", "dev"); got.code != 0 {
		t.Errorf("run afterwards: exit code %d\n%s", got.code, got.stderr)
	}
	again := p.run("state", "adopt", "--env", "dev", "--why", "once more", "--json")
	if doc := decode[app.AdoptedState](t, again); again.code != 0 || doc.Changed || doc.Anchor.Mark != a.Mark || p.anchorOf("dev").Adopted.Why != a.Adopted.Why {
		t.Errorf("again: exit code %d, %s, want no change", again.code, again.stdout)
	}
	p.log = nil
	if got := p.run("state", "adopt", "--env", "dev", "--why", "back to one machine"); got.code != 0 || !strings.HasPrefix(got.stdout, "dev belongs to no shared state") {
		t.Errorf("without a log: exit code %d, stdout %q\n%s", got.code, got.stdout, got.stderr)
	}
	if got := p.run("run", "--env", "dev"); got.code != 0 {
		t.Errorf("run without a log: exit code %d\n%s", got.code, got.stderr)
	}
}

// That an environment was adopted is sent to all receivers, whatever runs they want to
// hear of.
func TestStateAdopt_Notifies(t *testing.T) {
	received := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		received <- string(body)
	}))
	defer server.Close()
	p := newAnchoredProgram(t)
	p.log = fake.NewRecordLog("B", 7)
	p.useFile(projectFile + "notify: [{webhook: \"" + server.URL + "\", events: [deployed]}]\n")
	if got := p.run("state", "adopt", "--env", "dev", "--why", "the bucket was moved"); got.code != 0 {
		t.Fatalf("exit code %d\n%s", got.code, got.stderr)
	}
	select {
	case body := <-received:
		if !strings.Contains(body, "adopted by ann: the bucket was moved") || !strings.Contains(body, `"environment":"dev"`) {
			t.Errorf("received %s, want who adopted what, and why", body)
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing was sent")
	}
}

// serveHistory records beside what is deployed that a release was accepted in dev.
func serveHistory(t *testing.T, target *fake.AnchoredTarget) delivery.ReleaseID {
	t.Helper()
	e := fake.NewEnvironment()
	e.Serve("dev", "20260101-000000-aaaa", e.Release(1), e.Release(1).CreatedAt)
	h := port.History{Service: "api", Environment: "dev"}
	var err error
	if h.Deployments, _, err = e.Records.Deployments().List(context.Background(), port.DeploymentFilter{Environment: "dev"}, port.Page{}); err == nil {
		h.Releases, _, err = e.Records.Releases().List(context.Background(), port.ReleaseFilter{}, port.Page{})
	}
	if err == nil {
		err = target.SaveHistory(context.Background(), h)
	}
	if err != nil {
		t.Fatal(err)
	}
	return h.Deployments[0].Release
}

// A commit can't choose its shared state itself, nor do without it.
func TestRun_StateOfProtectedBranch(t *testing.T) {
	file := func(state string) string { return state + projectFile }
	const moved = "state: /srv/slipway\n"
	for _, c := range []struct {
		name     string
		ours     string
		branches map[string]string // as in program
		environ  []string
		args     []string
		says     string // "": it deploys
	}{
		{"nothing is known of origin", moved, nil, nil, nil, ""},
		{"as the protected branch", moved, map[string]string{"": file(moved)}, nil, nil, ""},
		{"in other words", moved, map[string]string{"": file("state: {url: \"${PLACE:-/srv/slipway}\", newer: 1}\n")}, nil, nil, ""},
		{"the file is new", moved, map[string]string{"": ""}, nil, nil, ""},
		{"added", moved, map[string]string{"": file("")}, nil, nil, "slipway.yaml of this commit names /srv/slipway, and on origin/main it names no shared state"},
		{"changed", "state: s3://mine/x\n", map[string]string{"": file("state: s3://ours/x?region=eu-west-1\n")}, nil, nil, "names s3://mine/x, and on origin/main it names s3://ours/x"},
		{"removed", "", map[string]string{"": file(moved)}, nil, nil, "names no shared state, and on origin/main it names /srv/slipway"},
		{"the operator's word", "", map[string]string{"": file(moved)}, []string{"SLIPWAY_STATE=none"}, nil, ""},
		{"the option", "", map[string]string{"": file(moved)}, nil, []string{"--state", "none"}, ""},
		{"deploys nothing", "", map[string]string{"": file(moved)}, nil, []string{"--until", "build"}, ""},
		{"unreadable there", moved, map[string]string{"": "state: [\n"}, nil, nil, "find out which shared state the protected branch names"},
		{"pull request, as its base", moved, map[string]string{"develop": file(moved), "": file("")}, nil, []string{"--event", "pull_request", "--branch", "develop"}, ""},
		{"pull request, changed", moved, map[string]string{"develop": file(""), "": file(moved)}, nil, []string{"--event", "pull_request", "--branch", "develop"}, "on origin/develop it names no shared state"},
		{"pull request, nothing is known", moved, nil, nil, []string{"--event", "pull_request", "--branch", "develop"}, "a pull request can't choose the shared state"},
		{"pull request, as its job says", moved, nil, []string{"GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME=pull_request", "GITHUB_BASE_REF=develop"}, nil, "a pull request can't choose the shared state"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProgram(t)
			p.useFile(strings.Replace(file(c.ours), "on: {push: develop}", "on: {push: develop, pull_request: develop}", 1))
			p.branches, p.environ = c.branches, append(p.environ, c.environ...)
			got := p.run(append([]string{"run", "--env", "dev"}, c.args...)...)
			if deployed := got.code == 0; deployed != (c.says == "") || !strings.Contains(got.stderr, c.says) {
				t.Errorf("exit code %d, want a refusal: %q\n%s", got.code, c.says, got.stderr)
			}
			if c.says != "" && (len(p.ran) > 0 || !strings.Contains(got.stderr, "SLIPWAY_STATE")) {
				t.Errorf("%v ran, want nothing; the hint has to name SLIPWAY_STATE\n%s", p.ran, got.stderr)
			}
		})
	}
}
