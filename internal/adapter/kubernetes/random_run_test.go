//go:build e2e

package kubernetes_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/randommanifests"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// maxVerdict is how long a call may take until it succeeds or fails.
const maxVerdict = 60 * time.Second

// randomRun deploys one sequence into a namespace of its own.
type randomRun struct {
	testNamespace
	random *rand.Rand // of what happens to the run; its manifests are drawn by themselves
	drawn  *tally
	link   *apiLink
	target *kubernetes.Target

	history  port.History
	accepted []randomRelease // newest first
	load     *steadyLoad
	mayLose  bool          // the disturbance of this step takes pods away
	scaled   bool          // by hand, since the last release was accepted that was not
	kill     chan struct{} // closed when the process is to die
}

type randomRelease struct {
	set     randommanifests.Set
	request port.DeployRequest
}

func newRandomRun(t *testing.T, random *rand.Rand, drawn *tally) *randomRun {
	t.Helper()
	r := &randomRun{testNamespace: newTestNamespace(t), random: random, drawn: drawn}
	r.grantCompanions()
	r.startProcess()
	return r
}

// startProcess starts another Slipway, with its own connection, and with the leases of a
// real one. It has more patience with pods that do not listen yet: several sets and the
// conformance tests start pods on one node at the same time.
func (r *randomRun) startProcess() {
	r.t.Helper()
	n := r.testNamespace
	link := newAPILink(r.t, &n)
	target := n.openTarget(kubernetes.Config{Timeouts: readiness.Timeouts{Ready: 15 * time.Second}})
	r.link, r.target = link, target
	r.t.Cleanup(func() {
		if err := target.Close(); err != nil && !link.dead() {
			r.t.Error(err)
		}
	})
}

// run deploys the first release and some after it, goes back once, and removes all.
func (r *randomRun) run(manifests *rand.Rand, releases int) {
	set := randommanifests.First()
	r.deploy(set)
	for n := 2; n < 2+releases && !r.t.Failed(); n++ {
		next, kinds := set.Next(manifests, n)
		r.drawn.add(kinds...)
		r.t.Logf("v%d: %v", n, kinds)
		if r.deploy(next); r.t.Failed() {
			r.t.Logf("manifests of v%d:\n%s\nbefore:\n%s", n, next.YAML("sample", sharedCluster.address), set.YAML("sample", sharedCluster.address))
		}
		set = next
	}
	if len(r.accepted) > 1 && !r.t.Failed() {
		r.drawn.add("rollback")
		r.rollBack()
	}
	if r.load != nil {
		r.load.stop()
	}
	if !r.t.Failed() {
		r.must("remove", func(ctx context.Context) error { return r.target.Remove(ctx, "sample", "test") })
	}
}

// deploy deploys a release as a run does: one that is broken, or that its bake refuses,
// is taken back.
func (r *randomRun) deploy(set randommanifests.Set) {
	release, err := r.render(set)
	if err != nil {
		r.checkRefused(set, err)
		return
	}
	o, scaledBefore := release.request, r.scaled
	r.must("lock", func(ctx context.Context) error { return r.target.Lock(ctx, o, r.report) })
	r.record(o)
	r.scaled = false
	end := r.disturb()
	err = r.call("dry run", func(ctx context.Context) error { return r.target.DryRun(ctx, o, r.report) })
	if err == nil {
		err = r.call("stage", func(ctx context.Context) error { _, err := r.target.Stage(ctx, o, r.report); return err })
	}
	if err == nil && (set.Defect == randommanifests.Sound || set.Defect == randommanifests.WorkerCrashes) {
		err = r.call("promote", func(ctx context.Context) error { _, err := r.target.Promote(ctx, o, r.report); return err })
	}
	if err == nil && set.Defect == randommanifests.WorkerCrashes { // on a busy machine, later than it counts as started
		err = r.restarted(o)
	}
	end()
	switch refused := len(r.accepted) > 0 && r.random.IntN(refusedByBake) == 0; {
	case set.Defect != randommanifests.Sound:
		r.checkRefused(set, err)
		r.takeBack(o)
	case err != nil:
		r.t.Errorf("deploy %s: %v", set.Version, err)
	case refused:
		r.drawn.add("taken back after the switch")
		r.t.Logf("%s is taken back after the switch", set.Version)
		r.takeBack(o)
	default:
		r.accepted = append([]randomRelease{release}, r.accepted...)
		r.accept(o)
		scaledBefore = false
	}
	r.scaled = r.scaled || scaledBefore
	r.check(set.Version)
}

// refusedByBake: one of so many good releases is taken back after its switch.
const refusedByBake = 5

// accept records that the release was accepted, and finalizes it.
func (r *randomRun) accept(o port.DeployRequest) {
	for i := range r.history.Deployments {
		d := &r.history.Deployments[i]
		switch {
		case i == 0:
			d.State, d.ServingAt = delivery.Serving, time.Now()
		case d.State == delivery.Serving:
			d.State = delivery.Replaced
		}
	}
	r.finalize(o)
}

func (r *randomRun) finalize(o port.DeployRequest) {
	r.must("save the history", func(ctx context.Context) error { return r.target.SaveHistory(ctx, r.history) })
	r.must("finalize", func(ctx context.Context) error { return r.target.Finalize(ctx, o, r.report) })
}

// takeBack restores what was accepted last, like a run that failed.
func (r *randomRun) takeBack(failed port.DeployRequest) {
	current := backTo(r.accepted[0].request, failed.Run)
	r.history.Deployments[0].State = delivery.RolledBack
	for i := range r.history.Releases {
		if rel := &r.history.Releases[i]; rel.ID == failed.ID {
			rel.Quarantined = &delivery.Quarantine{Release: failed.ID, Environment: "test", Reason: "a test", Since: time.Now(), Run: failed.Run}
		}
	}
	var obs port.Observation
	r.must("observe", func(ctx context.Context) (err error) {
		obs, err = r.target.Observe(ctx, "sample", "test")
		return err
	})
	discard := func(ctx context.Context) error { return r.target.Discard(ctx, failed) }
	if obs.Release == failed.ID {
		r.restore(current)
	}
	r.must("discard", discard)
	r.finalize(current)
}

// restore deploys what is recorded once more.
func (r *randomRun) restore(o port.DeployRequest) {
	r.must("stage again", func(ctx context.Context) error { _, err := r.target.Stage(ctx, o, r.report); return err })
	r.must("promote again", func(ctx context.Context) error { _, err := r.target.Promote(ctx, o, r.report); return err })
}

// rollBack is what `slipway rollback` does: to the release that was accepted before.
func (r *randomRun) rollBack() {
	before := r.accepted[1]
	jobs := r.jobs()
	o := backTo(before.request, "run-back")
	r.must("lock", func(ctx context.Context) error { return r.target.Lock(ctx, o, r.report) })
	r.record(o)
	r.scaled = false
	end := r.disturb()
	r.restore(o)
	end()
	r.accepted = append([]randomRelease{{before.set, o}}, r.accepted...)
	r.accept(o)
	r.check("rollback to " + before.set.Version)
	for name := range r.jobs() {
		if !jobs[name] {
			r.t.Errorf("the rollback to %s ran %s", before.set.Version, name)
		}
	}
}

// backTo is the request for a release that was deployed before.
func backTo(o port.DeployRequest, run delivery.RunID) port.DeployRequest {
	o.Run, o.Rollback = run, true
	return o
}

// record records that the deployment begins.
func (r *randomRun) record(o port.DeployRequest) {
	r.history.Service, r.history.Environment = o.Service, o.Environment
	r.history.Deployments = append([]delivery.Deployment{{
		Environment: o.Environment, Release: o.ID, Run: o.Run, State: delivery.Deploying, StartedAt: time.Now(),
	}}, r.history.Deployments...)
	known := false
	for _, rel := range r.history.Releases {
		known = known || rel.ID == o.ID
	}
	if !known {
		r.history.Releases = append(r.history.Releases, delivery.ReleaseRecord{ID: o.ID, Release: o.Release, CreatedAt: time.Now(), Run: o.Run})
	}
	r.must("save the history", func(ctx context.Context) error { return r.target.SaveHistory(ctx, r.history) })
}

// render renders a set into a deploy request.
func (r *randomRun) render(set randommanifests.Set) (randomRelease, error) {
	dir := r.t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "k8s"), 0o700); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "k8s", "all.yaml"), []byte(set.YAML(sharedCluster.image.Repository, sharedCluster.address)), 0o600); err != nil {
		r.t.Fatal(err)
	}
	out, err := r.target.Render(r.t.Context(), port.Manifests{Service: "sample", Dir: dir, Paths: []string{"k8s"}, Image: sharedCluster.image})
	if err != nil {
		return randomRelease{}, err
	}
	rel := delivery.Release{Schema: 1, Service: "sample", Image: sharedCluster.image, Objects: out.Objects, Manifests: out.Digest()}
	return randomRelease{set, port.DeployRequest{
		Service: rel.Service, Environment: "test", ID: delivery.ReleaseID("r-" + rel.Manifests.Short()), Release: rel,
		Run: delivery.RunID("run-" + set.Version), Strategy: delivery.Rolling, Secrets: out.Secrets,
	}}, nil
}

// must is call for what must succeed.
func (r *randomRun) must(act string, do func(context.Context) error) {
	r.t.Helper()
	if err := r.call(act, do); err != nil {
		r.t.Fatalf("%s: %v", act, err)
	}
}

// call calls the target, and fails if no verdict comes in time. A kill that is due
// interrupts it; another process of the same run then repeats it.
func (r *randomRun) call(act string, do func(context.Context) error) error {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), maxVerdict)
	defer cancel()
	defer context.AfterFunc(ctx, func() { r.logStacks(act) })()
	for {
		attempt, stop := r.killable(ctx)
		err := do(attempt)
		killed := attempt.Err() != nil && ctx.Err() == nil
		stop()
		if ctx.Err() != nil {
			r.t.Fatalf("%s: no verdict in %s: %v", act, maxVerdict, err)
		}
		if !killed {
			return err
		}
		r.link.die()
		r.kill = nil
		r.startProcess()
	}
}

// logStacks logs what hangs, if time is over.
func (r *randomRun) logStacks(act string) {
	var all strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&all, 1); err != nil {
		r.t.Error(err)
	}
	for _, stack := range strings.Split(all.String(), "\n\n") {
		if strings.Contains(stack, "kubernetes_test.(*randomRun).call") {
			r.t.Logf("%s hangs:\n%s", act, stack)
		}
	}
}

func (r *randomRun) report(line string) { r.t.Log("  " + line) }

// checkRefused checks that a broken release was refused with a verdict.
func (r *randomRun) checkRefused(set randommanifests.Set, err error) {
	r.t.Helper()
	if err == nil || errors.Is(err, context.DeadlineExceeded) {
		r.t.Errorf("%s, which is broken (%s): %v, want a refusal", set.Version, set.Defect, err)
		return
	}
	r.t.Logf("%s is refused: %v", set.Version, err)
}
