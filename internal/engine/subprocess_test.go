package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/flock"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/step"
)

// childOrder tells a copy of the test's binary to be a process that dies.
type childOrder struct {
	Home   string    `json:"home"`
	Plan   plan.Plan `json:"plan"`
	KillAt string    `json:"kill_at"` // point of the engine
	Hold   string    `json:"hold"`    // step that goes on until the process dies
	Orphan string    `json:"orphan"`  // step that starts a process which outlives this one

	OwnerTimeout time.Duration `json:"owner_timeout"`
}

const childVariable = "SLIPWAY_ENGINE_TEST_CHILD"

// TestChild is the process that dies; it does nothing in an ordinary test run.
func TestChild(t *testing.T) {
	text := os.Getenv(childVariable)
	if text == "" {
		return
	}
	var order childOrder
	if err := json.Unmarshal([]byte(text), &order); err != nil {
		t.Fatal(err)
	}
	l := crashLab(t, order.Home)
	l.OwnerTimeout = order.OwnerTimeout
	if order.Hold != "" {
		held := l.does[order.Hold]
		l.does[order.Hold] = func(ctx context.Context, r step.Request) (step.Result, error) {
			if _, err := held(ctx, r); err != nil {
				return step.Result{}, err
			}
			<-ctx.Done()
			return step.Result{}, ctx.Err()
		}
	}
	if order.Orphan != "" {
		l.does[order.Orphan] = func(ctx context.Context, _ step.Request) (step.Result, error) {
			orphan := exec.Command("sh", "-c", "sleep 1; echo orphan:end >> "+filepath.Join(order.Home, "effects"))
			orphan.ExtraFiles = flock.Inherited(ctx)
			return step.Result{Outcome: delivery.OutcomeSucceeded}, orphan.Start()
		}
	}
	l.Failpoint = func(point string) {
		if point == order.KillAt {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	if _, err := l.resumeAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Run(t.Context(), order.Plan); err != nil {
		t.Fatal(err)
	}
}

// child starts the process; out is everything that it says by itself.
func child(t *testing.T, order childOrder) (c *exec.Cmd, out *bytes.Buffer) {
	t.Helper()
	text, err := json.Marshal(order)
	if err != nil {
		t.Fatal(err)
	}
	out = &bytes.Buffer{}
	c = exec.Command(os.Args[0], "-test.run=^TestChild$")
	c.Env = append(os.Environ(), childVariable+"="+string(text))
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c, out
}

// effects is the world outside: a file to which every step writes when it begins
// and when it has done its work.
func effects(t *testing.T, home string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(home, "effects"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Fields(string(b))
}

// crashLab has steps with effects. verify says no, so that all is taken back.
func crashLab(t *testing.T, home string) *lab {
	t.Helper()
	l := newLab(t, home)
	var mu sync.Mutex
	write := func(line string) error {
		mu.Lock()
		defer mu.Unlock()
		f, err := os.OpenFile(filepath.Join(home, "effects"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = fmt.Fprintln(f, line)
		return err
	}
	for _, s := range append(crashPlan(1).Steps, step.Spec{Name: "rollback.stage"}, step.Spec{Name: "rollback.deploy"}) {
		l.does[s.Name] = func(_ context.Context, r step.Request) (step.Result, error) {
			if err := write(r.Spec.Name + ":begin"); err != nil {
				return step.Result{}, err
			}
			if err := write(r.Spec.Name + ":end"); err != nil {
				return step.Result{}, err
			}
			if r.Spec.Name == "verify" {
				return step.Result{Outcome: delivery.OutcomeFailed, Cause: "503"}, nil
			}
			return step.Succeed("", map[string]string{"by": r.Spec.Name})
		}
	}
	return l
}

// crashPlan has branches, a chain, and two steps to take back.
func crashPlan(n int) plan.Plan {
	specs := []step.Spec{{Name: "unit"}, {Name: "lint"}, {Name: "build", Kind: step.Build, Needs: []string{"unit", "lint"}}, {Name: "train", Kind: step.Train}}
	for i := range 8 {
		specs = append(specs, step.Spec{Name: fmt.Sprintf("t%d", i), Needs: []string{specs[len(specs)-1].Name}})
	}
	specs = append(specs,
		step.Spec{Name: "stage", Kind: step.Deploy, Needs: []string{"build", "t7"}, Undo: step.Rollback},
		step.Spec{Name: "deploy", Kind: step.Deploy, Needs: []string{"stage"}, Undo: step.Rollback},
		step.Spec{Name: "verify", Kind: step.Verify, Needs: []string{"deploy"}})
	return newPlan(n, specs...)
}

// checkEffects holds what happened outside against the promises.
func checkEffects(t *testing.T, got []string) {
	t.Helper()
	last := map[string]int{}
	for i, line := range got {
		last[line] = i + 1
	}
	for _, s := range crashPlan(1).Steps {
		if last[s.Name+":end"] == 0 {
			t.Errorf("%s never ended", s.Name)
		}
		for _, need := range s.Needs {
			if slices.Index(got, s.Name+":begin") < slices.Index(got, need+":end") {
				t.Errorf("%s began before %s ended", s.Name, need)
			}
		}
	}
	if last["rollback.deploy:end"] < last["deploy:end"] || last["rollback.stage:end"] < last["rollback.deploy:end"] {
		t.Errorf("not taken back in order: %v", got)
	}
}

func count(lines []string, line string) int {
	n := 0
	for _, l := range lines {
		if l == line {
			n++
		}
	}
	return n
}
