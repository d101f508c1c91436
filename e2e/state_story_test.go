//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// ownerTimeout is after which time without a beat another machine takes a run over.
const ownerTimeout = time.Minute

// Takes a delivery over many machines, none of which has anything but the repository:
// train on one, approve on another, deploy on a third that dies, finish on a fourth, roll
// back on a fifth, and meet the quarantine on a sixth.
func TestState_Story(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, driver string) {
		s := newStateProject(t, driver)
		hook := s.notifyHook()
		s.edit("slipway.yaml", "approve: auto", "approve: manual")
		s.commit("people decide about models")
		first := s.testTrainApproveDeploy()
		second := s.testNextRelease(first)
		s.testRollBack(first, second)
		s.testOtherState(first)
		s.testNothingChanged(first)
		hook.wantOnce(t)
		s.wantLogs(first)
		s.wantVerified()
		t.Logf("%d machines, %d entries in the log, %d objects", s.machines.number, len(s.keys("log/")), len(s.keys("")))
	})
}

// testTrainApproveDeploy brings the first release to production, with the help of four
// machines. The third one is killed in the middle of the deploy.
func (s *stateProject) testTrainApproveDeploy() (deployed result) {
	s.t.Helper()
	waits := s.run().wantRun(4, "waiting")
	s.slipway("approve", waits.report.Run, "--why", "looked at it", "--no-wait").wantExit(0)
	third := s.start("run", "--resume", waits.report.Run, "--json")
	third.waitForStep("deploy")
	time.Sleep(time.Second)
	if killed := third.kill(); killed.code != 128+9 {
		s.t.Fatalf("the run ended before it was killed\n%s", killed)
	}
	if st := s.status("prod"); st.Release != "" {
		s.t.Errorf("status = %+v, want no release before the run has ended", st)
	}
	if inGate() {
		s.forgetBeats() // TestState_PausedOwner waits for a minute
	}
	fourth, after := s.takeOver(waits.report.Run, ownerTimeout+15*time.Second)
	fourth.wantRun(0, "deployed")
	s.t.Logf("taken over %s after the kill", after.Round(time.Second))
	if !inGate() && after < ownerTimeout-20*time.Second {
		s.t.Errorf("taken over %s after the kill, want about %s", after, ownerTimeout)
	}
	if again := fourth.steps(); slices.Contains(again, "train") || slices.Contains(again, "build") {
		s.t.Errorf("steps of the fourth machine = %v, want neither train nor build, which were complete", again)
	}
	s.requireServing("tiny", fourth.report.Release)
	return fourth
}

// testNextRelease changes a setting. Neither image nor model is made again.
func (s *stateProject) testNextRelease(before result) result {
	s.t.Helper()
	s.edit("slipway.yaml", `ROUND: "0"`, `ROUND: "1"`)
	s.commit("another setting")
	r := s.run().wantRun(0, "deployed")
	for _, name := range []string{"test.unit", "train", "evaluate"} {
		if st := r.step(name); !st.Cached {
			s.t.Errorf("step %s on another machine = %+v, want it cached", name, st)
		}
	}
	st := s.requireServing("tiny", r.report.Release)
	if st.Replaced != before.report.Release || st.Model.Version != 1 {
		s.t.Errorf("status = %+v, want it in place of %s with model version 1", st, before.report.Release)
	}
	return r
}

// testRollBack rolls back on one machine; others refuse what was left.
func (s *stateProject) testRollBack(first, second result) {
	s.t.Helper()
	s.slipway("rollback", "--env", "prod", "--why", "wrong prices").wantExit(0).wantText("rolled back to " + first.report.Release)
	s.requireServing("tiny", first.report.Release)
	r := s.run()
	if r.code != 1 && r.code != 2 || !strings.Contains(r.stdout+r.stderr, "quarantine") {
		s.t.Fatalf("running what was left, on another machine: exit %d, want 1 or 2, and quarantine\n%s", r.code, r)
	}
	s.slipway("plan", "--env", "prod").wantExit(2).wantText("quarantined as " + second.report.Release)
	s.requireServing("tiny", first.report.Release)
}

// testOtherState names an empty state, and none at all, where nothing is quarantined and
// nothing has to be approved. The environment belongs to the state that it has.
func (s *stateProject) testOtherState(serving result) {
	s.t.Helper()
	for _, other := range []string{filepath.Join(s.base, "empty"), "none"} {
		s.slipway("run", "--env", "prod", "--state", other).wantExit(2).wantText("slipway state adopt --env prod")
	}
	s.requireServing("tiny", serving.report.Release)
}

// testNothingChanged delivers again what is deployed: an empty machine finds that out
// soon, and has every result of the others.
func (s *stateProject) testNothingChanged(first result) {
	s.t.Helper()
	s.edit("slipway.yaml", `ROUND: "1"`, `ROUND: "0"`)
	s.edit("main_test.go", "package main", "package main // tested once more")
	s.commit("back to the first, and another test")
	begun := time.Now()
	r := s.run().wantRun(0, "skipped")
	took := time.Since(begun)
	s.t.Logf("nothing changed, on an empty machine: %.1f s", took.Seconds())
	if took > time.Minute {
		s.t.Errorf("it took %s, want at most a minute", took)
	}
	if r.report.Release != first.report.Release {
		s.t.Errorf("release = %q, want %s", r.report.Release, first.report.Release)
	}
	if n := len(s.trainingLines()); n != 2 {
		s.t.Errorf("trained %d times, want once: %q", n/2, s.trainingLines())
	}
}

// wantLogs checks that another machine shows what the run printed.
func (s *stateProject) wantLogs(r result) {
	s.t.Helper()
	s.slipway("runs", "show", r.report.Run).wantExit(0).wantText(r.report.Release)
	s.slipway("logs", r.report.Run).wantExit(0).wantText("training says the token is")
}

// onceHook records the messages of runs.
type onceHook struct {
	mu       sync.Mutex
	messages map[string]int
}

// notifyHook makes the project notify a webhook.
func (s *stateProject) notifyHook() *onceHook {
	s.t.Helper()
	h := &onceHook{messages: map[string]int{}}
	server := httptest.NewServer(h)
	s.t.Cleanup(server.Close)
	s.env = append(s.env, "HOOK_URL="+server.URL+"/hook")
	s.write("slipway.yaml", s.read(s.dir+"/slipway.yaml")+"\nnotify:\n  - {webhook: \"${HOOK_URL}\", events: [deployed, waiting]}\n")
	return h
}

func (h *onceHook) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var e runEvent
	body, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(body, &e) // a message without a run is reported below
	h.mu.Lock()
	defer h.mu.Unlock()
	h.messages[fmt.Sprintf("%s of run %s", e.Outcome, e.Run)]++
}

// wantOnce checks that there were messages, each of them sent once.
func (h *onceHook) wantOnce(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for message, n := range h.messages {
		if n != 1 {
			t.Errorf("message %q was sent %d times, want once", message, n)
		}
	}
	if len(h.messages) < 3 {
		t.Errorf("messages = %v, want at least one that waits and two that are deployed", h.messages)
	}
}

// Takes Retail the same way, with its own manifests: trained and killed in the deploy on
// one machine, finished on another, and rolled back on a third.
func TestState_Retail(t *testing.T) {
	t.Parallel()
	drivers := stateDrivers()
	p := newUntestedRetail(t)
	s := shareState(t, p, drivers[len(drivers)-1])
	s.edit("slipway.yaml", "repository: retail-api", fmt.Sprintf("repository: %s/retail-api", s.registry))
	s.edit("k8s/api.yaml", "image: retail-api", fmt.Sprintf("image: %s/retail-api", s.registry))
	s.commitRetail()
	s.env = append(s.env, "DATA="+s.dir+"/data/transactions.csv") // every machine has the data at hand
	killed := s.start("run", "--env", "prod", "--json")
	run := killed.waitForStep("deploy").Run
	time.Sleep(time.Second)
	killed.kill()
	s.forgetBeats()
	first, _ := s.takeOver(run, 0)
	first.wantRun(0, "deployed")
	if again := first.steps(); slices.Contains(again, "train") || slices.Contains(again, "build") {
		t.Errorf("steps of the machine that took over = %v, want neither train nor build, which were complete", again)
	}
	s.requireServing("retail-api", first.report.Release)
	s.edit("k8s/api.yaml", "DRAIN_DELAY: 2s", "DRAIN_DELAY: 3s")
	s.commit("drain for longer")
	second := s.run().wantRun(0, "deployed")
	if st := s.requireServing("retail-api", second.report.Release); st.Model.Version != 1 {
		t.Errorf("Model = %+v, want version 1, which another machine trained", st.Model)
	}
	s.slipway("rollback", "--env", "prod", "--why", "too long").wantExit(0)
	s.requireServing("retail-api", first.report.Release)
	s.git("revert", "--no-edit", "HEAD")
	begun := time.Now()
	s.run().wantRun(0, "skipped")
	t.Logf("nothing changed, on an empty machine: %.1f s", time.Since(begun).Seconds())
}
