//go:build e2e

package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/objecttest"
	"github.com/slipway-cd/slipway/internal/port"
)

// trainingConfig trains, registers and approves on AWS, and deploys nothing.
const trainingConfig = `version: 1
service: prices
aws: {account: "111122223333", region: ap-southeast-1}
image: {build: {go: ., inputs: ["*.go", go.mod]}, repository: prices}
model:
  group: price-models
  registry: {sagemaker: {storage: s3://mlops-models/registry}}
  data: [data.csv]
  train:
    when: changed
    run: sh train.sh {{.Data}} {{.Output}}
    inputs: [train.sh, weights.txt]
    on:
      sagemaker: {role: "arn:aws:iam::111122223333:role/training", image: "python:3.12", instances: [ml.m5.xlarge], bucket: mlops-models, max_runtime: 1h}
  evaluate:
    run: sh evaluate.sh {{.Data}} {{.Model}} {{.Metrics}}
    inputs: [evaluate.sh]
    gates: [accuracy >= 0.8]
  approve: auto
environments:
  prod: {on: {push: main}, until: approve}
`

// modelBucket is the one that trainingConfig names.
const modelBucket = "mlops-models"

// trainingProject is a service whose models are made and kept by an AWS of the test's own.
type trainingProject struct {
	*project
	rng    *rand.Rand
	cloud  *awstest.Cloud
	script *jobScript
	shared port.ObjectStore // the state of several machines; nil: there is one
	round  int
}

func newTrainingProject(t *testing.T, rng *rand.Rand) *trainingProject {
	t.Helper()
	p := &trainingProject{project: newTinyProject(t), rng: rng, script: &jobScript{victim: make(chan *started, 1)}}
	p.write("slipway.yaml", trainingConfig)
	l := p.startAWS(awstest.Config{Jobs: p.script.now})
	l.become(l.cloud.AddUser("slipway"))
	p.cloud = l.cloud
	p.cloud.AddBucket(awstest.Bucket{Name: modelBucket})
	p.cloud.Inject(p.script.onCall)
	return p
}

// shareFolder makes each further command run on another machine. They share a folder with
// the state, and AWS.
func (p *trainingProject) shareFolder() {
	p.t.Helper()
	folder := objecttest.Start(p.t, "folder")
	p.edit("slipway.yaml", "version: 1\n", fmt.Sprintf("version: 1\nstate: %q\n", folder.Location("prices")))
	p.shared = folder.Open(p.t, "prices")
	p.useMachines()
}

// loseOwner lets the owner's timeout pass after a kill, where other machines wait for it.
func (p *trainingProject) loseOwner() {
	p.t.Helper()
	if p.shared == nil {
		return
	}
	beats, err := p.shared.List(p.t.Context(), "beat/", "", 1<<20)
	p.must(err)
	for _, b := range beats {
		p.must(p.shared.Delete(p.t.Context(), b.Key))
	}
}

// nextModel commits what another model is trained from.
func (p *trainingProject) nextModel() {
	p.t.Helper()
	p.round++
	weights := p.weights()
	p.write("weights.txt", weights)
	p.commit(fmt.Sprint("model ", p.round))
	p.script.begin()
	p.cloud.SetLife(func(awstest.Job) awstest.Life {
		return awstest.Life{Lasts: jobTime / 2, Lines: []string{"trained"}, Model: map[string]string{"weights.txt": weights}}
	})
}

// requireOnce checks that the run ended well, and that each model has one job, one version
// and one decision.
func (p *trainingProject) requireOnce(r result) {
	p.t.Helper()
	r.wantRun(0, "succeeded")
	p.must(p.cloud.Invalid())
	if jobs := p.cloud.Jobs(awstest.TrainingJob); len(jobs) != p.round || jobs[p.round-1].Status != "Completed" {
		p.t.Fatalf("jobs %+v, want %d that completed\n%s", jobs, p.round, r)
	}
	versions := p.cloud.ModelPackages("price-models")
	if len(versions) != p.round {
		p.t.Fatalf("%d versions of %d models\n%s", len(versions), p.round, r)
	}
	last := versions[p.round-1]
	if n := decisionsOf(last); n != 1 || last.Fields["ModelApprovalStatus"] != "Approved" {
		p.t.Fatalf("version %d is %v after %d decisions: %v\n%s", last.Version, last.Fields["ModelApprovalStatus"], n, last.Fields["CustomerMetadataProperties"], r)
	}
	want := map[string]string{"weights.txt": p.weights(), "metrics.json": fmt.Sprintf("{\"accuracy\": 0.9%03d, \"rows\": 3}\n", p.round)}
	if got := p.registered(last); !maps.Equal(got, want) {
		p.t.Fatalf("version %d consists of %q, want %q\n%s", last.Version, got, want, r)
	}
}

// weights are what this round's model consists of.
func (p *trainingProject) weights() string { return fmt.Sprintf("accuracy=0.9%03d\n", p.round) }

// registered returns the files of a version, by their names, as its archive has them.
// There is one archive for each version.
func (p *trainingProject) registered(v awstest.ModelPackage) map[string]string {
	p.t.Helper()
	if keys := p.cloud.Keys(modelBucket, "registry/price-models/models/"); len(keys) != p.round {
		p.t.Errorf("archives %q, want %d", keys, p.round)
	}
	text, _ := v.Fields["ModelPackageDescription"].(string)
	_, hex, _ := strings.Cut(text, "sha256:")
	o, ok := p.cloud.Object(modelBucket, "registry/price-models/models/"+hex+"/model.tar.gz")
	if !ok {
		p.t.Fatalf("no archive of version %d: %q", v.Version, text)
	}
	z, err := gzip.NewReader(bytes.NewReader(o.Body))
	p.must(err)
	files, archive := map[string]string{}, tar.NewReader(z)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		p.must(err)
		content, err := io.ReadAll(archive)
		p.must(err)
		files[h.Name] = string(content)
	}
}

// decisionsOf counts the decisions that are written down with a version.
func decisionsOf(v awstest.ModelPackage) (n int) {
	metadata, _ := v.Fields["CustomerMetadataProperties"].(map[string]any)
	for key := range metadata {
		if number, ok := strings.CutPrefix(key, "slipway.decision."); ok && !strings.Contains(number, ".") {
			n++
		}
	}
	return n
}

// jobTime is by how much the clock of jobs goes on when one shall have ended.
const jobTime = time.Hour

// jobScript decides when jobs end, and kills who makes a request.
type jobScript struct {
	victim chan *started // whom to kill: set before its first request

	mu    sync.Mutex
	skew  time.Duration // of the clock of jobs
	made  bool          // a job, for the model of this round
	looks int           // for which the job runs still
	calls int           // of this round
	last  string        // call
	total int           // calls of the first round, which is not killed
	aimed int           // the call to kill at; 0: none
	fault awstest.Fault
}

func (s *jobScript) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.skew)
}

// fewLooks end a job while the run waits that made it: at its second look.
const fewLooks = 2

// begin begins a round with a job to come.
func (s *jobScript) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total == 0 {
		s.total = s.calls
	}
	s.made, s.looks, s.aimed, s.calls, s.last = false, fewLooks, 0, 0, "nothing"
}

// requests is how many a run makes.
func (s *jobScript) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(s.total, 1)
}

// aim makes the n-th request of the round the last one of the process, which gets the
// fault in place of an answer.
func (s *jobScript) aim(n int, fault awstest.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aimed, s.fault = n, fault
	for len(s.victim) > 0 {
		<-s.victim // it ended before it was aimed at
	}
}

// killed tells that the process was killed, and for how many looks the job runs on; 0: it
// has ended meanwhile. It returns where the process was.
func (s *jobScript) killed(looks int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aimed = 0
	switch s.looks = looks; {
	case !s.made:
		s.looks = fewLooks
	case looks == 0:
		s.skew += jobTime
	}
	return fmt.Sprintf("request %d, %s", s.calls, s.last)
}

// onCall is told each request that is otherwise in order, one after the other.
func (s *jobScript) onCall(call *awstest.Call) awstest.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	s.last = call.Service.Name + "." + call.Operation.Name
	hit := s.calls == s.aimed
	switch {
	case hit && s.fault == awstest.Unavailable: // nothing is done
	case call.Operation.Name == "CreateTrainingJob":
		s.made = true
	case call.Operation.Name == "DescribeTrainingJob" && s.made:
		if s.looks--; s.looks == 0 {
			s.skew += jobTime
		}
	}
	if !hit {
		return awstest.NoFault
	}
	_ = (<-s.victim).cmd.Process.Kill()
	return s.fault
}
