package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/step"
)

// runs lists runs, and runs show prints again what one printed.
func TestRuns_ListAndShow(t *testing.T) {
	p := newProgram(t)
	p.results[step.Build] = failed("main.go:3: syntax error")
	printed := p.run("run", "--env", "dev")
	p.run("run", "--env", "prod", "--until", "build")
	list := p.run("runs")
	if lines := strings.Split(strings.TrimSpace(list.stdout), "\n"); list.code != 0 || len(lines) != 3 || !strings.HasPrefix(lines[0], "RUN ") || !strings.Contains(lines[2], "dev") || !strings.Contains(lines[2], "main.go:3: syntax error") {
		t.Errorf("exit code %d:\n%s%s", list.code, list.stdout, list.stderr)
	}
	type entry struct{ Run, Environment, Outcome string }
	all := decode[[]entry](t, p.run("runs", "--env", "dev", "--json"))
	if len(all) != 1 || all[0].Environment != "dev" || all[0].Outcome != "failed" {
		t.Fatalf("runs of dev: %+v", all)
	}
	if one := decode[[]entry](t, p.run("runs", "--limit", "1", "--json")); len(one) != 1 || one[0].Environment != "prod" {
		t.Errorf("the newest run: %+v", one)
	}
	id := all[0].Run
	shown := p.run("runs", "show", id)
	for line := range strings.Lines(printed.stderr) {
		if strings.HasSuffix(line, " started\n") {
			continue // a replay shows how steps ended
		}
		if !strings.Contains(shown.stdout, line) {
			t.Errorf("runs show lacks %q:\n%s", line, shown.stdout)
		}
	}
	if shown.code != 0 || !strings.Contains(shown.stdout, "run "+id+" in dev, created ") {
		t.Errorf("exit code %d:\n%s", shown.code, shown.stdout)
	}
	doc := decode[struct {
		Run    string
		Events []struct{ Kind, Step string }
	}](t, p.run("runs", "show", id, "--json"))
	if doc.Run != id || len(doc.Events) == 0 || doc.Events[0].Kind != "run.started" {
		t.Errorf("document %+v", doc)
	}
	if err := os.RemoveAll(filepath.Join(p.dir, ".slipway", "runs")); err != nil {
		t.Fatal(err)
	}
	if got := p.run("runs", "show", id); got.code != 0 || !strings.Contains(got.stdout, "main.go:3: syntax error") || !strings.Contains(got.stdout, "made from the records") {
		t.Errorf("after a cleanup: exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
	for _, args := range []string{"runs show nope", "runs --env prd"} {
		if got := p.run(strings.Fields(args)...); got.code != 2 || got.stdout != "" {
			t.Errorf("%s: exit code %d, %s", args, got.code, got.stdout)
		}
	}
}

// newReleasesProgram returns a program with two releases, which differ in image and
// model, and the names of them.
func newReleasesProgram(t *testing.T) (p *program, older, newer string) {
	p = newStatusProgram(t, func(h *history, p *program) {
		older = string(h.deliver("prod", false))
		id := h.deliver("prod", true)
		newer = string(id)
		p.serves(id)
	})
	return p, older, newer
}

func TestReleases_Show(t *testing.T) {
	p, _, newer := newReleasesProgram(t)
	for _, name := range []string{newer, "latest"} {
		got := p.run("releases", "show", name)
		for _, want := range []string{newer + "  api\n", "(dirty: with uncommitted changes)", "retail-price-sensitivity-models:3  sha256:", "2 replicas, health at /health", "STARTED", "prod"} {
			if got.code != 0 || !strings.Contains(got.stdout, want) {
				t.Errorf("exit code %d, stdout lacks %q:\n%s%s", got.code, want, got.stdout, got.stderr)
			}
		}
		if doc := decode[struct{ ID string }](t, p.run("releases", "show", name, "--json")); doc.ID != newer {
			t.Errorf("releases show %s --json: %+v", name, doc)
		}
	}
}

func TestReleases_Diff(t *testing.T) {
	p, older, newer := newReleasesProgram(t)
	got := p.run("releases", "diff", older, "latest")
	if got.code != 0 || !strings.HasPrefix(got.stdout, older+" -> "+newer+"\nimage:\n  - digest: sha256:") || !strings.Contains(got.stdout, "\nmodel: the same\nconfiguration: the same\n") {
		t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
	if got := p.run("releases", "diff", newer, newer); got.code != 0 || !strings.Contains(got.stdout, "they are the same release") {
		t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
	doc := decode[struct {
		From, To     string
		Same         bool
		Image, Model []struct{ Name string }
	}](t, p.run("releases", "diff", older, newer, "--json"))
	if doc.From != older || doc.To != newer || doc.Same || len(doc.Image) != 1 || doc.Model == nil || len(doc.Model) != 0 {
		t.Errorf("document %+v", doc)
	}
}

// latest names the newest release wherever one is named.
func TestLatest_Release(t *testing.T) {
	p, older, newer := newReleasesProgram(t)
	for _, args := range []string{"releases quarantine latest --why x", "releases unquarantine latest --why x"} {
		if got := p.run(strings.Fields(args)...); got.code != 0 {
			t.Errorf("%s: exit code %d: %s", args, got.code, got.stderr)
		}
	}
	p.run("releases", "quarantine", "latest", "--why", "wrong prices")
	if st := p.status("prod"); len(st.Quarantined) != 1 || string(st.Quarantined[0].Release) != newer {
		t.Errorf("quarantined %+v, want %s", st.Quarantined, newer)
	}
	if got := p.run("rollback", "--env", "prod", "--to", "latest"); got.code != 2 || !strings.Contains(got.stderr, newer) {
		t.Errorf("rollback to the newest, which is quarantined: exit code %d: %s", got.code, got.stderr)
	}
	if got := newProgram(t).run("releases", "show", "latest"); got.code != 2 || !strings.Contains(got.stderr, "no release has been made yet") {
		t.Errorf("without releases: exit code %d: %s", got.code, got.stderr)
	}
	_ = older
}

// -C runs a command as if it had been given in another folder.
func TestDirectory(t *testing.T) {
	p := newProgram(t)
	service := filepath.Join(p.dir, "services", "api")
	if err := os.MkdirAll(service, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(service, "slipway.yaml"), []byte(strings.ReplaceAll(projectFile, "dev:", "qa:")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-C", "services/api", "status"}, {"status", "-C", service}, {"status", "--directory", "services/api"}} {
		if got := p.run(args...); got.code != 0 || !strings.Contains(got.stdout, "qa  nothing deployed") {
			t.Errorf("%v: exit code %d:\n%s%s", args, got.code, got.stdout, got.stderr)
		}
	}
	if got := p.run("-C", "nowhere", "status"); got.code != 2 || !strings.Contains(got.stderr, `folder "nowhere" not found`) {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
}

// A terminal shows colors, unless it is told not to.
func TestColor(t *testing.T) {
	for name, c := range map[string]struct {
		args    []string
		environ []string
		width   int
		want    bool
	}{
		"terminal":        {nil, nil, 80, true},
		"piped":           {nil, nil, 0, false},
		"NO_COLOR":        {nil, []string{"NO_COLOR=1"}, 80, false},
		"NO_COLOR, empty": {nil, []string{"NO_COLOR="}, 80, true},
		"--no-color":      {[]string{"--no-color"}, nil, 80, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProgram(t)
			p.environ = append(p.environ, c.environ...)
			p.width = c.width
			got := p.run(append([]string{"run", "--env", "dev", "--until", "build"}, c.args...)...)
			if colored := strings.Contains(got.stderr, "\x1b[32m"); got.code != 0 || colored != c.want {
				t.Errorf("exit code %d, colored = %v, want %v:\n%q", got.code, colored, c.want, got.stderr)
			}
		})
	}
}

// A piped run tells when a step starts.
func TestRun_PipedStarts(t *testing.T) {
	got := newProgram(t).run("run", "--env", "dev", "--until", "build")
	if got.code != 0 || !strings.Contains(got.stderr, "  build          started\n") {
		t.Errorf("exit code %d:\n%s", got.code, got.stderr)
	}
}

// The document that ends a run, and the outputs of a CI step, name what it delivered.
func TestRun_Outputs(t *testing.T) {
	digest := delivery.DigestOf([]byte("image"))
	p := newProgram(t)
	p.results[step.Push] = step.Result{Outcome: delivery.OutcomeSucceeded, Output: []byte(fmt.Sprintf(`{"image":{"repository":"api","digest":%q},"tag":"c0ffee","reference":"127.0.0.1:5000/api@%s"}`, digest, digest))}
	file := filepath.Join(t.TempDir(), "outputs")
	p.environ = append(p.environ, "GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME=push", "GITHUB_REF_NAME=develop", "GITHUB_OUTPUT="+file)
	got := p.run("run", "--env", "dev", "--json")
	report := last[struct {
		Run, Outcome, URL string
		Image             struct{ Reference, Digest, Tag string }
		Model             *struct{ Group string }
	}](t, got)
	if got.code != 0 || report.URL != "http://api.local" || report.Image.Tag != "c0ffee" || report.Image.Digest != string(digest) || report.Model != nil {
		t.Errorf("exit code %d, report %+v\n%s", got.code, report, got.stderr)
	}
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := "run=" + report.Run + "\nenvironment=dev\noutcome=deployed\nrelease=r-0123456789ab\nurl=http://api.local\nimage=127.0.0.1:5000/api@" +
		string(digest) + "\ndigest=" + string(digest) + "\ntag=c0ffee\n"
	if diff := cmp.Diff(want, string(written)); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
}

// Commands end with what is to be known or done next.
func TestCommands_NextStep(t *testing.T) {
	t.Run("rolled back", func(t *testing.T) {
		p := newProgram(t)
		p.results[step.Verify] = failed("500")
		if got := p.run("run", "--env", "dev"); got.code != 3 || !strings.HasSuffix(got.stdout, "rolled back to r-0123456789ab\n") {
			t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
		}
	})
	t.Run("up after down", func(t *testing.T) {
		p := newStatusProgram(t, statuses["taken down"])
		got := p.run("up")
		if got.code != 0 || !strings.Contains(got.stdout, "prod  down since ") || !strings.Contains(got.stdout, "(taken down by ann): deploy it again with `slipway run --env prod --deploy-only`") {
			t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
		}
	})
	t.Run("down", func(t *testing.T) {
		if got := newProgram(t).run("down", "--env", "dev"); got.stdout != "dev is down\ndeploy it again with `slipway run --env dev --deploy-only`\n" {
			t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
		}
	})
	t.Run("approve of an unknown run", func(t *testing.T) {
		p := newOrderedProgram(t)
		if got := p.run("approve", "nope"); got.code != 2 || !strings.Contains(got.stderr, "no run is waiting for a decision") {
			t.Errorf("exit code %d:\n%s", got.code, got.stderr)
		}
		run := p.waitingRun().Run
		for _, command := range [][]string{{"approve", "nope"}, {"reject", "nope", "--why", "x"}} {
			if got := p.run(command...); got.code != 2 || !strings.Contains(got.stderr, `run "nope" not found`) || !strings.Contains(got.stderr, string(run)+" (prod, commit ccccccc)") {
				t.Errorf("%v: exit code %d:\n%s", command, got.code, got.stderr)
			}
		}
	})
	t.Run("cleanup", func(t *testing.T) {
		p := newProgram(t)
		p.run("run", "--env", "dev", "--until", "build")
		artifact := filepath.Join(p.dir, ".slipway", "artifacts", "images", "abc", "layer")
		if err := os.MkdirAll(filepath.Dir(artifact), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(artifact, make([]byte, 2_500_000), 0o600); err != nil {
			t.Fatal(err)
		}
		got := p.run("cleanup", "--dry-run", "--keep", "0", "--older", "0s")
		if lines := strings.Split(got.stdout, "\n"); got.code != 0 || len(lines) < 3 || lines[1] != "       2.5 MB  artifacts/images/abc" || !strings.Contains(lines[2], " MB  run 20") {
			t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
		}
		if _, err := os.Stat(artifact); err != nil {
			t.Error(err)
		}
	})
}
