package cli_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/engine"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/step"
)

// sharedProject has an environment on the machine itself, and one in a cluster.
const sharedProject = `version: 1
service: api
image: {build: {go: .}, repository: api}
state: {url: shared, on_dead: finish}
environments:
  dev: {on: {push: develop}, target: {local: {}}}
  prod: {on: {push: main}, target: {kubernetes: {context: c, namespace: n, registry: "r:5000"}}, approvals: 1}
`

// machines are programs that share their records, each with a state folder of its own.
type machines struct {
	*program
	home string
}

func newMachines(t *testing.T) machines {
	t.Helper()
	p := newOrderedProgram(t)
	p.useFile(sharedProject)
	return machines{p, t.TempDir()}
}

// on runs a command on the machine of that name.
func (m machines) on(name string, args ...string) output {
	m.t.Helper()
	return m.onIn(m.t.Context(), name, args...)
}

func (m machines) onIn(ctx context.Context, name string, args ...string) output {
	m.t.Helper()
	environ := m.environ
	defer func() { m.environ = environ }()
	m.environ = append(slices.Clone(environ), "SLIPWAY_HOME="+m.home+"/"+name)
	return m.runIn(ctx, args...)
}

func (m machines) statusOn(name, env string) app.Status {
	m.t.Helper()
	return decode[app.Status](m.t, m.on(name, "status", "--env", env, "--json"))
}

// waitingOn starts a run of prod on the machine, which waits there.
func (m machines) waitingOn(name string) app.RunReport {
	m.t.Helper()
	got := m.on(name, "run", "--env", "prod", "--json")
	if got.code != 4 {
		m.t.Fatalf("exit code %d, want 4: %s%s", got.code, got.stdout, got.stderr)
	}
	return last[app.RunReport](m.t, got)
}

// dieOn starts a run of dev or prod on the machine, which leaves it at the deployment.
func (m machines) dieOn(name, env string) {
	m.t.Helper()
	ctx, die := context.WithCancelCause(m.t.Context())
	deploy := m.does[step.Deploy]
	defer func() { m.does[step.Deploy] = deploy }()
	begun := make(chan struct{})
	m.does[step.Deploy] = func(step.Request, *sqlite.Store) (step.Result, error) {
		close(begun)
		<-ctx.Done()
		time.Sleep(time.Second) // a process that dies records nothing more: the run has left the step by then
		return step.Result{}, context.Cause(ctx)
	}
	go func() {
		<-begun
		die(engine.ErrSuspend)
	}()
	if got := m.onIn(ctx, name, "run", "--env", env); got.code == 0 {
		m.t.Fatalf("the run ended: %s", got.stdout)
	}
}

// TestMachines_Approve: an approval on one machine continues what another one left
// waiting, there and then, or wherever it is resumed.
func TestMachines_Approve(t *testing.T) {
	t.Run("at once", func(t *testing.T) {
		m := newMachines(t)
		run := m.waitingOn("ci").Run
		if st := m.statusOn("laptop", "prod"); len(st.Waiting) != 1 || st.Waiting[0].Run != run {
			t.Errorf("on the laptop wait %+v, want %s", st.Waiting, run)
		}
		got := m.on("laptop", "approve", string(run), "--json")
		if result := last[app.DecisionResult](t, got); result.Run == nil || result.Run.Outcome != delivery.OutcomeDeployed {
			t.Errorf("exit code %d, %+v: %s", got.code, result, got.stderr)
		}
		release := m.statusOn("laptop", "prod").Release
		if st := m.statusOn("ci", "prod"); st.Release != release || st.Release == "" || len(st.Waiting) > 0 {
			t.Errorf("on the CI: release %q, waiting %v, want %s", st.Release, st.Waiting, release)
		}
	})
	t.Run("resumed elsewhere", func(t *testing.T) {
		m := newMachines(t)
		run := m.waitingOn("ci").Run
		if got := m.on("laptop", "approve", string(run), "--no-wait"); got.code != 0 {
			t.Fatalf("exit code %d: %s", got.code, got.stderr)
		}
		m.ran = nil
		got := m.on("ci-2", "run", "--resume", string(run), "--json")
		if r := last[app.RunReport](t, got); r.Outcome != delivery.OutcomeDeployed || r.Run != run {
			t.Errorf("exit code %d, %+v: %s", got.code, r, got.stderr)
		}
		if slices.Contains(m.ran, "build") {
			t.Errorf("ran %v: the build was complete", m.ran)
		}
	})
}

// TestMachines_Dead: status names whose run a dead one is, on every machine, and the next
// run finishes it, or with on_dead: report names it.
func TestMachines_Dead(t *testing.T) {
	withoutApproval := strings.Replace(sharedProject, ", approvals: 1", "", 1)
	for name, c := range map[string]struct {
		file string
		code int
		want []string
	}{
		"finish": {withoutApproval, 0, []string{"deployed"}},
		"report": {strings.Replace(withoutApproval, "on_dead: finish", "on_dead: report", 1), 2, []string{"was left unfinished by process", "slipway run --resume "}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachines(t)
			m.useFile(c.file)
			m.dieOn("ci-1", "prod")
			st := m.statusOn("ci-2", "prod")
			if len(st.Runs) != 1 || st.Runs[0].State != app.RunKilled || st.Runs[0].Owner == nil || st.Runs[0].Owner.Alive || st.Runs[0].Owner.Here {
				t.Fatalf("runs = %+v, want one that was killed elsewhere", st.Runs)
			}
			if text := m.on("ci-2", "status", "--env", "prod").stdout; !strings.Contains(strings.Join(strings.Fields(text), " "), "left by process") {
				t.Errorf("status does not name the owner:\n%s", text)
			}
			got := m.on("ci-2", "run", "--env", "prod")
			for _, want := range c.want {
				if got.code != c.code || !strings.Contains(got.stdout+got.stderr, want) {
					t.Errorf("exit code %d, want %d and %q: %s%s", got.code, c.code, want, got.stdout, got.stderr)
				}
			}
			if name == "finish" {
				return
			}
			if got := m.on("ci-3", "run", "--resume", "--json"); got.code != 0 {
				t.Errorf("resume: exit code %d: %s", got.code, got.stderr)
			}
			if got := m.on("ci-2", "run", "--env", "prod"); got.code != 0 {
				t.Errorf("run after that: exit code %d: %s%s", got.code, got.stdout, got.stderr)
			}
		})
	}
}

// TestMachines_Cleanup: another machine's unfinished run keeps no files here; one of an
// environment of this machine does.
func TestMachines_Cleanup(t *testing.T) {
	m := newMachines(t)
	m.useFile(strings.Replace(sharedProject, ", approvals: 1", "", 1))
	m.dieOn("ci-1", "prod")
	m.dieOn("laptop", "dev")
	for name, removes := range map[string]bool{"ci-2": true, "laptop": false} {
		kept := filepath.Join(m.home, name, "artifacts", "models", "old")
		if err := os.MkdirAll(kept, 0o755); err != nil {
			t.Fatal(err)
		}
		if got := m.on(name, "cleanup", "--older", "0s"); got.code != 0 {
			t.Fatalf("exit code %d: %s", got.code, got.stderr)
		}
		if _, err := os.Stat(kept); errors.Is(err, fs.ErrNotExist) != removes {
			t.Errorf("on %s: %v, want it removed: %v", name, err, removes)
		}
	}
}

// TestMachines_OwnEnvironments: an environment on the machine itself is another one on
// each, and status and plan say so.
func TestMachines_OwnEnvironments(t *testing.T) {
	m := newMachines(t)
	m.dieOn("laptop", "dev")
	dead := m.statusOn("laptop", "dev")
	if len(dead.Runs) != 1 || !dead.ThisMachineOnly {
		t.Fatalf("on the laptop: %+v, want an unfinished run of this machine only", dead)
	}
	if got := m.on("desktop", "run", "--env", "dev"); got.code != 0 {
		t.Errorf("run on the desktop: exit code %d: %s%s", got.code, got.stdout, got.stderr)
	}
	desktop := m.statusOn("desktop", "dev")
	if desktop.Release == "" || len(desktop.Runs) > 0 {
		t.Errorf("on the desktop: release %q, runs %+v, want its own release alone", desktop.Release, desktop.Runs)
	}
	if st := m.statusOn("laptop", "dev"); st.Release != "" || len(st.History) != 0 || len(st.Runs) != 1 {
		t.Errorf("on the laptop: release %q, history %+v, runs %+v, want what it had", st.Release, st.History, st.Runs)
	}
	if got := m.on("desktop", "run", "--resume", string(dead.Runs[0].Run)); got.code != 2 || !strings.Contains(got.stderr, "another machine") {
		t.Errorf("resume on the desktop: exit code %d, want 2: %s", got.code, got.stderr)
	}
	for _, args := range [][]string{{"status", "--env", "dev"}, {"plan", "--env", "dev"}} {
		if got := m.on("laptop", args...); !strings.Contains(strings.Join(strings.Fields(got.stdout), " "), "dev is of this machine only") {
			t.Errorf("%s does not say that dev is of this machine only:\n%s%s", args[0], got.stdout, got.stderr)
		}
	}
	if st := m.statusOn("laptop", "prod"); st.ThisMachineOnly {
		t.Error("prod is of this machine only, want it shared")
	}
	if got := m.on("laptop", "run", "--resume", "--json"); got.code != 0 {
		t.Errorf("resume on the laptop: exit code %d: %s%s", got.code, got.stdout, got.stderr)
	}
}
