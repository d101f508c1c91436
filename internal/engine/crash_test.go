package engine_test

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

// TestResume_AfterKillAtEachPoint: what is recorded does not run again; what is not, does.
func TestResume_AfterKillAtEachPoint(t *testing.T) {
	cases := []struct {
		point string
		again string // step that runs twice
	}{
		{"queued", ""}, {"started", ""},
		{"begun unit", ""}, {"ran unit", "unit"}, {"recorded unit", ""},
		{"begun deploy", ""}, {"ran deploy", "deploy"}, {"recorded deploy", ""},
		{"ran verify", "verify"}, {"recorded verify", ""},
		{"begun rollback.deploy", ""}, {"ran rollback.deploy", "rollback.deploy"}, {"recorded rollback.deploy", ""},
		{"ran rollback.stage", "rollback.stage"}, {"recorded rollback.stage", ""},
		{"journaled", ""}, {"finishing", ""}, {"finished", ""},
	}
	for _, c := range cases {
		onOneAndManyMachines(t, c.point, func(t *testing.T, shares bool) {
			home := newMachine(t, shares)
			cmd, out := child(t, childOrder{Home: home, Plan: crashPlan(1), KillAt: c.point})
			if err := cmd.Wait(); err == nil || out.Len() > 0 {
				t.Fatalf("the process was to be killed in silence: %v\n%s", err, out)
			}
			before := effects(t, home)
			home = successor(t, home)
			l := crashLab(t, home)
			if _, err := l.resumeAll(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantEnd(t, l)
			got := effects(t, home)
			checkEffects(t, got)
			for _, s := range append(l.outcomes(runID(1)), "") {
				name, _, _ := strings.Cut(s, " ")
				// Others may be at work at the same time; only those begun before can begin again.
				if n := count(got, name+":begin"); name != "" && n > 1 && name != c.again && count(before, name+":begin") == n {
					t.Errorf("%s began %d times", name, n)
				}
			}
			if c.again != "" && count(got, c.again+":begin") != 2 {
				t.Errorf("%s began %d times, want it again", c.again, count(got, c.again+":begin"))
			}
			if _, point, ok := strings.Cut(c.point, "recorded "); ok && count(got, point+":begin") != 1 {
				t.Errorf("%s began %d times although its result was recorded", point, count(got, point+":begin"))
			}
		})
	}
}

// onOneAndManyMachines runs a test with all processes on one machine, and with every
// successor on another one.
func onOneAndManyMachines(t *testing.T, name string, test func(t *testing.T, shares bool)) {
	t.Run(name, func(t *testing.T) { test(t, false) })
	t.Run(name+", then elsewhere", func(t *testing.T) { test(t, true) })
}

// TestResume_WaitsForProcessesOfKilledOwner: a command that outlived its killed
// process is gone before a step runs again.
func TestResume_WaitsForProcessesOfKilledOwner(t *testing.T) {
	home := t.TempDir()
	cmd, out := child(t, childOrder{Home: home, Plan: crashPlan(1), Orphan: "unit", KillAt: "ran unit"})
	if err := cmd.Wait(); err == nil || out.Len() > 0 {
		t.Fatalf("the process was to be killed in silence: %v\n%s", err, out)
	}
	l := crashLab(t, home)
	if _, err := l.resumeAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := effects(t, home)
	if orphan, again := slices.Index(got, "orphan:end"), slices.Index(got, "unit:begin"); orphan < 0 || again < orphan {
		t.Errorf("unit ran again before the process of its first attempt ended: %v", got)
	}
	wantEnd(t, l)
}

func wantEnd(t *testing.T, l *lab) {
	t.Helper()
	run, err := l.Runs.Get(t.Context(), runID(1))
	if err != nil {
		t.Fatal(err)
	}
	wantRun(t, run, record.Ended, delivery.OutcomeRolledBack, "verify: 503")
	for _, s := range l.outcomes(run.ID) {
		if strings.HasSuffix(s, "unfinished") {
			t.Errorf("recorded as %s", s)
		}
	}
}

// TestResume_AfterRandomKills kills processes at any instant, again and again.
func TestResume_AfterRandomKills(t *testing.T) {
	onOneAndManyMachines(t, "here", testRandomKills)
}

func testRandomKills(t *testing.T, shares bool) {
	seeds := uint64(10) // SLIPWAY_SEEDS asks for another number
	if n, err := strconv.ParseUint(os.Getenv("SLIPWAY_SEEDS"), 10, 64); err == nil {
		seeds = n
	}
	repeated, kills := 0, 0
	for seed := range seeds {
		random := rand.New(rand.NewPCG(seed, 7))
		home := newMachine(t, shares)
		recorded := map[string]int{} // by step that was complete at a kill: how often it had begun
		for range 1 + random.IntN(3) {
			lines := len(effects(t, home)) + random.IntN(2*len(crashPlan(1).Steps))
			pause := time.Duration(random.IntN(4000)) * time.Microsecond
			cmd, out := child(t, childOrder{Home: home, Plan: crashPlan(1)})
			if err := killAfter(t, cmd, home, lines, pause); err == nil {
				break // it was faster
			}
			kills++
			if said := out.String(); said != "" && said != "PASS\n" { // this it says when it has done all, and is about to go
				t.Fatalf("seed %d: the process said: %s", seed, out)
			}
			for _, name := range completed(t, home) {
				if _, ok := recorded[name]; !ok {
					recorded[name] = count(effects(t, home), name+":begin")
				}
			}
			home = successor(t, home)
		}
		l := crashLab(t, home)
		if _, err := l.resumeAll(t.Context()); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		l.run(crashPlan(1)) // if it was killed before the run was queued
		wantEnd(t, l)
		got := effects(t, home)
		checkEffects(t, got)
		for name, n := range recorded {
			if now := count(got, name+":begin"); now != n {
				t.Errorf("seed %d: %s was complete and ran again (%d, then %d times)", seed, name, n, now)
			}
		}
		repeated += len(got) - 2*(len(crashPlan(1).Steps)+2)
		if t.Failed() {
			t.Fatalf("seed %d: %v", seed, got)
		}
	}
	t.Logf("%d runs survived %d kills; steps that were cut off wrote %d lines again", seeds, kills, repeated)
	if kills < int(seeds) {
		t.Errorf("only %d kills: the processes were too fast for this test", kills)
	}
}

// killAfter kills the process a pause after it has had so many effects, and
// returns how it ended: nil if it came to its end before.
func killAfter(t *testing.T, cmd *exec.Cmd, home string, lines int, pause time.Duration) error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	look := time.NewTicker(200 * time.Microsecond)
	defer look.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-look.C:
		}
		if len(effects(t, home)) >= lines {
			time.AfterFunc(pause, func() { cmd.Process.Kill() })
			return <-ended
		}
	}
}

// completed are the steps whose results the journal of a dead process holds, or the
// records that it shared.
func completed(t *testing.T, home string) []string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(home, sharedFolder)); err == nil {
		return completedSteps(t, home)
	}
	path := filepath.Join(home, "engine.db")
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	if len(rows(t, path, "SELECT name FROM sqlite_master WHERE name = 'operation_outputs'")) == 0 {
		return nil
	}
	return rows(t, path, "SELECT function_name FROM operation_outputs")
}

func completedSteps(t *testing.T, home string) (names []string) {
	t.Helper()
	steps, err := newLab(t, successor(t, home)).Runs.ListSteps(t.Context(), runID(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		if s.Result != nil && s.Unmet == "" {
			names = append(names, s.Name)
		}
	}
	return names
}

// TestQueue_FinishesRunOfDeadProcess: two processes, one environment; the first is killed.
func TestQueue_FinishesRunOfDeadProcess(t *testing.T) {
	home := t.TempDir()
	cmd, _ := child(t, childOrder{Home: home, Plan: crashPlan(1), Hold: "deploy"})
	for !slices.Contains(effects(t, home), "deploy:end") {
		if cmd.ProcessState != nil || t.Context().Err() != nil {
			t.Fatal("the process did not get to its deployment")
		}
		time.Sleep(5 * time.Millisecond)
	}
	l := crashLab(t, home)
	queued := make(chan struct{})
	l.Failpoint = func(point string) {
		if point == "queued" {
			close(queued)
		}
	}
	second := newPlan(2, step.Spec{Name: "later"})
	ended := make(chan record.Run)
	go func() { r, _ := l.Run(context.Background(), second); ended <- r }()
	<-queued
	if head, ok, err := l.Runs.Head(t.Context(), "prod"); err != nil || !ok || head.ID != runID(1) || head.PID != cmd.Process.Pid {
		t.Errorf("head: %+v, %v", head, err)
	}
	if len(l.started()) > 0 {
		t.Errorf("it did not wait: %v", l.started())
	}
	cmd.Process.Kill()
	cmd.Wait()
	wantRun(t, <-ended, record.Ended, delivery.OutcomeSucceeded, "")
	wantEnd(t, l)
	checkEffects(t, effects(t, home))
	ran := l.started()
	if ran[0] != "deploy/1" || ran[len(ran)-1] != "later/1" {
		t.Errorf("ran %v, want the first run's steps and then ours", ran)
	}
}
