//go:build e2e && linux

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

// trained is what SageMaker was asked for so far: training jobs and versions of the model.
func (a *awsProject) trained() (jobs []awstest.Job, versions []awstest.ModelPackage) {
	return a.cloud.Jobs(awstest.TrainingJob), a.cloud.ModelPackages(awsGroup)
}

// requireMore requires so many jobs and versions more than before, all jobs completed, and
// returns the newest version.
func (a *awsProject) requireMore(jobsBefore, versionsBefore, jobs, versions int) awstest.ModelPackage {
	a.t.Helper()
	allJobs, all := a.trained()
	if len(allJobs) != jobsBefore+jobs || len(all) != versionsBefore+versions {
		a.t.Fatalf("%d training jobs and %d versions, want %d and %d", len(allJobs), len(all), jobsBefore+jobs, versionsBefore+versions)
	}
	for _, j := range allJobs {
		if j.Status != "Completed" {
			a.t.Errorf("job %s is %s: %s", j.Name, j.Status, j.Reason)
		}
	}
	return all[len(all)-1]
}

// setL2 changes the inputs of training, and the model.
func (a *awsProject) setL2(value string) {
	a.t.Helper()
	text := a.read(a.dir + "/slipway.yaml")
	before, rest, ok := strings.Cut(text, "./cmd/train ")
	_, after, found := strings.Cut(rest, "-data {{.Data}}")
	if !ok || !found {
		a.t.Fatal("slipway.yaml has no training command")
	}
	a.write("slipway.yaml", before+"./cmd/train -l2 "+value+" -data {{.Data}}"+after)
	a.commit("regularize by " + value)
}

// testBadModel: SageMaker trains a model that its gates refuse. It becomes no version, and
// nothing is deployed.
func (a *awsProject) testBadModel(good string) {
	jobs, versions := a.trained()
	a.setL2("1000")
	r := a.run("--retrain").wantRun(1, "failed")
	if !strings.Contains(r.report.Cause, "accuracy >= 0.8") {
		a.t.Errorf("cause %s", r.report.Cause)
	}
	a.requireMore(len(jobs), len(versions), 1, 0)
	a.requireServing("retail-api-svc", good)
	a.told(r.report.Run)
}

// testModelOnly: another model for the same image waits until somebody approves it in the
// console, and goes on then.
func (a *awsProject) testModelOnly(good string) string {
	jobs, versions := a.trained()
	before := a.requireServing("retail-api-svc", good)
	a.edit("slipway.yaml", "approve: auto", "approve: manual")
	a.setL2("2e-5")
	r := a.start("run", "--env", "prod", "--json", "--retrain", "--wait", "1m")
	waiting := func() bool {
		_, all := a.trained()
		return len(all) == len(versions)+1 && all[len(versions)].Approval() == "PendingManualApproval"
	}
	if !a.eventually(time.Minute, waiting) {
		a.t.Fatalf("no version waits for an approval:\n%s", r.kill())
	}
	if st := a.status("prod"); st.Release != good {
		a.t.Errorf("%s is deployed before anybody approved it", st.Release)
	}
	a.must(a.console("ana").Decide(awsGroup, len(versions)+1, "Approved", "looks good"))
	end := r.wait().wantRun(0, "deployed")
	if v := a.requireMore(len(jobs), len(versions), 1, 1); v.Approval() != "Approved" {
		a.t.Errorf("version %d is %s", v.Version, v.Approval())
	}
	now := a.requireServing("retail-api-svc", end.report.Release)
	if now.Image.Digest != before.Image.Digest || now.Model.Version != len(versions)+1 || now.Model.Digest == before.Model.Digest {
		a.t.Errorf("image %s with model %+v, want the image %s and another model than %+v", now.Image.Digest, now.Model, before.Image.Digest, before.Model)
	}
	a.slipway("models", "show", fmt.Sprintf("%s:%d", awsGroup, now.Model.Version)).wantExit(0).wantText("ana", "looks good")
	a.edit("slipway.yaml", "approve: manual", "approve: auto")
	a.commit("approve by the gates again")
	return end.report.Release
}

// testConsoleRejects: somebody registers the model that the gate refused and approves it
// in the console, so that it is the newest Approved one; somebody else rejects it while its
// release bakes.
func (a *awsProject) testConsoleRejects(good string) {
	jobs, versions := a.trained()
	before := a.requireServing("retail-api-svc", good)
	refused := slices.IndexFunc(jobs, func(j awstest.Job) bool { return strings.Contains(commandOf(a, j), "-l2 1000 ") })
	if refused < 0 {
		a.t.Fatal("no job trained the model that the gate refused")
	}
	a.must(a.console("ben").Register(awsGroup, fmt.Sprintf("s3://%s/training/jobs/%s/output/model.tar.gz", awsBucket, jobs[refused].Name)))
	a.setBake("2s", "1m")
	a.setL2("4e-5") // not trained from: the newest Approved version is taken
	r := a.start("run", "--env", "prod", "--json")
	r.waitForStep("watch")
	number := len(versions) + 1
	if st := a.status("prod"); st.Entering == nil {
		a.t.Errorf("nothing bakes: %+v", st)
	}
	a.must(a.console("cy").Decide(awsGroup, number, "Rejected", "biased"))
	end := r.wait().wantRun(3, "rolled_back")
	if want := fmt.Sprintf("model %s:%d was rejected by", awsGroup, number); !strings.Contains(end.report.Cause, want) || !strings.Contains(end.report.Cause, "cy: biased") {
		a.t.Errorf("cause %q, want %q, by whom and why", end.report.Cause, want)
	}
	if v := a.requireMore(len(jobs), len(versions), 0, 1); v.Approval() != "Rejected" {
		a.t.Errorf("version %d is %s", v.Version, v.Approval())
	}
	if now := a.requireServing("retail-api-svc", good); now.Model.Version != before.Model.Version {
		a.t.Errorf("model version %d serves, want %d as before", now.Model.Version, before.Model.Version)
	}
	a.told(end.report.Run)
}

// commandOf returns the command that a job ran, which is an object of the bucket.
func commandOf(a *awsProject, j awstest.Job) string {
	o, _ := a.cloud.Object(awsBucket, "training/jobs/"+j.Name+"/run/command")
	return string(o.Body)
}

// setBake changes how long releases bake in prod.
func (a *awsProject) setBake(from, to string) {
	a.t.Helper()
	a.edit("slipway.yaml", "bake: "+from+"\n", "bake: "+to+"\n")
	a.commit("bake for " + to)
}

// checkOnce requires that no job and no version was made twice, whatever was throttled,
// refused or lost on its way.
func (a *awsProject) checkOnce(retrained int) {
	a.t.Helper()
	jobs, versions := a.trained()
	made, registered := a.cloud.Count("sagemaker", "CreateTrainingJob"), a.cloud.Count("sagemaker", "CreateModelPackage")
	if made != retrained || len(jobs) != retrained {
		a.t.Errorf("%d runs with --retrain made %d training jobs in %d calls", retrained, len(jobs), made)
	}
	seen := map[string]int{}
	for _, v := range versions {
		if text, _ := v.Fields["ModelPackageDescription"].(string); text != "" { // it has the digest
			seen[text]++
		}
	}
	for text, n := range seen {
		if n != 1 {
			a.t.Errorf("%d versions are %s", n, text)
		}
	}
	a.t.Logf("awstable: pipeline to prod: %d training jobs for %d runs with --retrain, %d versions in %d calls, none twice", len(jobs), retrained, len(versions), registered)
}
