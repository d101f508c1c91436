//go:build e2e && linux

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

// sessionLength is longer than the test.
const sessionLength = time.Hour

// TestAWS_Pipeline: the example's way to prod on AWS, with a fifth of the calls throttled
// or failing, and one response in fifty lost.
func TestAWS_Pipeline(t *testing.T) {
	a := newAWSProject(t)
	faults := a.disturb(1)
	var good string
	for _, s := range []struct {
		name string
		do   func()
	}{
		{"good release", func() { good = a.testFirstAWSRelease() }},
		{"vulnerable image", func() { a.testVulnerable(good) }},
		{"bad release rolls back", func() { a.testAWSRollback(good) }},
		{"bad model is refused", func() { a.testBadModel(good) }},
		{"model only, approved in the console", func() { good = a.testModelOnly(good) }},
		{"rejected in the console", func() { a.testConsoleRejects(good) }},
		{"way back archived", func() { a.testArchived(good) }},
		{"alarm rolls back", func() { a.testAlarm(good) }},
	} {
		if !a.scenario(s.name, s.do) {
			t.FailNow() // the rest depends on it
		}
	}
	a.checkOnce(4)
	a.logContract()
	a.compareDecisions()
	t.Logf("awstable: faults of the pipeline to prod (throttled, unavailable, lost): %d, %d, %d", faults()[awstest.Throttled], faults()[awstest.Unavailable], faults()[awstest.ResponseLost])
	if faults()[awstest.Throttled] == 0 || faults()[awstest.Unavailable] == 0 {
		t.Errorf("nothing was disturbed: %v", faults())
	}
}

// testFirstAWSRelease: the image is in ECR, scanned before it got a tag; the cluster of
// EKS runs it by digest, and SNS was told.
func (a *awsProject) testFirstAWSRelease() string {
	plan := a.slipway("plan", "--env", "prod", "--retrain", "--json").wantExit(0)
	if host := a.cloud.RegistryHost(); !strings.Contains(plan.stdout, host+"/"+awsRepository) {
		a.t.Errorf("the plan does not name %s/%s:\n%s", host, awsRepository, plan.stdout)
	}
	if n := len(a.cloud.Images(awsRepository)); n > 0 {
		a.t.Errorf("a plan pushed %d images", n)
	}
	r := a.runBalanced("retail-api-svc", func() {}, "--retrain").wantRun(0, "deployed")
	a.eventually(time.Minute, func() bool { // the autoscaler adds the second replica now and then
		st := a.status("prod")
		return st.Health == "healthy" && len(st.Replicas) == 2
	})
	st := a.requireServing("retail-api-svc", r.report.Release)
	image, ok := a.cloud.Image(awsRepository, st.Image.Digest)
	if !ok || image.Scan == nil || image.Scan.Status != "COMPLETE" || len(image.Tags) == 0 {
		a.t.Errorf("ECR has %+v, want it scanned and tagged", image)
	}
	for _, tag := range image.Tags {
		if tag == "latest" {
			a.t.Error("latest was pushed")
		}
	}
	for _, p := range a.pods() {
		if want := a.cloud.RegistryHost() + "/" + awsRepository + "@" + st.Image.Digest; p.Spec.Containers[0].Image != want {
			a.t.Errorf("a pod runs %s, want %s", p.Spec.Containers[0].Image, want)
		}
	}
	if n := a.cloud.Count("ecr", "CreateRepository"); n > 0 {
		a.t.Errorf("%d repositories were created", n)
	}
	if v := a.requireMore(0, 0, 1, 1); v.Approval() != "Approved" || st.Model.Version != v.Version {
		a.t.Errorf("version %d is %s, and %+v serves", v.Version, v.Approval(), st.Model)
	}
	a.told(r.report.Release)
	return r.report.Release
}

// testVulnerable: what ECR's scanner finds keeps the image without a tag, and out of prod.
func (a *awsProject) testVulnerable(good string) {
	a.cloud.SetScanner(func(string, awstest.Image) *awstest.Scan {
		return &awstest.Scan{Status: "COMPLETE", Waits: 1, Findings: []awstest.Finding{{Name: "CVE-2099-0001", Severity: "CRITICAL", Package: "openssl", Version: "3.0.1"}}}
	})
	a.setBudget("time.Second", "1001 * time.Millisecond")
	r := a.run().wantRun(1, "failed")
	if !strings.Contains(r.report.Cause, "CVE-2099-0001") {
		a.t.Errorf("cause %s", r.report.Cause)
	}
	untagged := 0
	for _, image := range a.cloud.Images(awsRepository) {
		if image.Scan != nil && len(image.Scan.Findings) > 0 {
			untagged++
			if len(image.Tags) > 0 {
				a.t.Errorf("the vulnerable image has the tags %q", image.Tags)
			}
		}
	}
	if untagged != 1 {
		a.t.Errorf("%d vulnerable images in ECR, want 1", untagged)
	}
	a.cloud.SetScanner(nil)
	a.setBudget("1001 * time.Millisecond", "time.Second")
	a.requireServing("retail-api-svc", good)
}

// testAWSRollback: a release that does not respond as expected is undone, and SNS is told.
func (a *awsProject) testAWSRollback(good string) {
	a.setBudget("time.Second", "time.Nanosecond") // which no prediction keeps
	r := a.run().wantRun(3, "rolled_back")
	a.requireServing("retail-api-svc", good)
	a.told(r.report.Run)
	a.setBudget("time.Nanosecond", "time.Second")
}

// testArchived is complaint 4: a deploy does not start while the image that a failure
// returns to can't be pulled.
func (a *awsProject) testArchived(good string) {
	st := a.requireServing("retail-api-svc", good)
	change := func(status string) {
		a.must(a.cloud.ChangeImage(awsRepository, st.Image.Digest, func(i *awstest.Image) { i.Status = status }))
	}
	change("ARCHIVED")
	a.setBudget("time.Second", "1002 * time.Millisecond")
	r := a.run()
	if r.code == 0 || !strings.Contains(r.report.Cause+r.report.Hint, "UpdateImageStorageClass") {
		a.t.Errorf("exit %d: %s (%s), want how to restore the image", r.code, r.report.Cause, r.report.Hint)
	}
	a.requireServing("retail-api-svc", good)
	change("ACTIVE") // what follows deploys
}

// setBudget changes the image: how long a prediction may take.
func (a *awsProject) setBudget(from, to string) {
	a.t.Helper()
	a.edit("cmd/api/main.go", "predictBudget = "+from, "predictBudget = "+to)
	a.commit("a budget of " + to)
}
