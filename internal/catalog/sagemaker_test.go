package catalog_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/sagemaker/registry"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/deploy"
	"github.com/slipway-cd/slipway/internal/step/rollback"
	"github.com/slipway-cd/slipway/internal/step/rollout"
	"github.com/slipway-cd/slipway/internal/step/watch"
)

const (
	modelGroup = "retail-price-sensitivity-models"
	prodRun    = delivery.RunID("20260102-000000-bbbb")
)

// shop is a service in prod whose models are in SageMaker.
type shop struct {
	*fake.Environment
	t        *testing.T
	lab      *awstest.Lab
	services rollout.Services
}

func newShop(t *testing.T) *shop {
	t.Helper()
	l := awstest.Start(t, awstest.Config{})
	awstest.As(t, l.AddUser("slipway"))
	l.AddBucket(awstest.Bucket{Name: "mlops-models"})
	models := registry.New(registry.Config{
		AWS: extension.AWS{Account: awstest.Account, Region: awstest.Region}, Storage: "s3://mlops-models/slipway", Pause: time.Millisecond,
		Options: session.Options{Client: l.Client, Backoff: func(int) time.Duration { return 0 }},
	})
	s := &shop{Environment: fake.NewEnvironment(), t: t, lab: l}
	s.Target.TrafficOf = func(delivery.ReleaseID, time.Time) port.Traffic { return port.Traffic{Requests: 1000} }
	s.services = rollout.Services{
		Targets: port.Targets{"local": s.Target}, Prober: s.Prober, Releases: s.Records.Releases(), Deployments: s.Records.Deployments(), Models: models,
	}
	return s
}

// release makes a release that differs from others by its model alone.
func (s *shop) release(seed int) delivery.ReleaseRecord {
	s.t.Helper()
	v, err := s.services.Models.Register(s.t.Context(), modelGroup, fake.Digest(seed), delivery.Metrics{"accuracy": 0.9}, delivery.Lineage{})
	if err != nil {
		s.t.Fatal(err)
	}
	rel, err := s.Records.Releases().Save(s.t.Context(), delivery.Release{
		Schema: delivery.ReleaseForm, Service: "api", Model: &v.ModelRef, Image: delivery.Image{Repository: "api", Digest: fake.Digest(100)},
		Workload: delivery.Workload{Replicas: 1, Health: "/health"},
	}, delivery.Origin{Run: prodRun})
	if err != nil {
		s.t.Fatal(err)
	}
	return rel
}

// inConsole decides as a person in the console of AWS.
func (s *shop) inConsole(ref delivery.ModelRef, status types.ModelApprovalStatus) {
	s.t.Helper()
	p := s.lab.AddUser("ben")
	client := sagemaker.NewFromConfig(aws.Config{
		Region: awstest.Region, HTTPClient: s.lab.Client, Credentials: credentials.NewStaticCredentialsProvider(p.AccessKey, p.SecretKey, ""),
	})
	arn := "arn:aws:sagemaker:" + awstest.Region + ":" + awstest.Account + ":model-package/" + strings.Replace(ref.String(), ":", "/", 1)
	if _, err := client.UpdateModelPackage(s.t.Context(), &sagemaker.UpdateModelPackageInput{ModelPackageArn: &arn, ModelApprovalStatus: status}); err != nil {
		s.t.Error(err)
	}
}

func (s *shop) request(kind step.Kind, params any, inputs map[string]json.RawMessage) step.Request {
	raw, err := json.Marshal(params)
	if err != nil {
		s.t.Fatal(err)
	}
	return step.Request{
		Run: prodRun, Service: "api", Environment: "prod", Attempt: 1, Inputs: inputs,
		Spec: step.Spec{Name: string(kind), Kind: kind, Params: raw, Undo: step.Rollback},
	}
}

// Complaint 7 of peers' users (aws-2026.md): a version deploys once it is approved, by
// whomever, and not before; one that is rejected in the console while it bakes is rolled
// back to the release with the pinned version before it.
func TestSageMaker_Complaint7(t *testing.T) {
	s := newShop(t)
	before, next := s.release(1), s.release(2)
	s.Serve("prod", "20260101-000000-aaaa", before, time.Now())
	params := step.DeployParams{Release: next.ID}
	params.Target = "local"
	deploys := func() (step.Result, error) {
		return deploy.Step{Services: s.services}.Run(t.Context(), s.request(step.Deploy, params, nil))
	}
	if res, err := deploys(); !fault.Is(err, fault.Denied) {
		t.Fatalf("pending: outcome = %s, error = %v, want %s", res.Outcome, err, fault.Denied)
	}
	s.inConsole(*next.Release.Model, types.ModelApprovalStatusApproved)
	deployed, err := deploys()
	if err != nil || deployed.Outcome != delivery.OutcomeSucceeded {
		t.Fatalf("approved in the console: outcome = %s (%q), error = %v", deployed.Outcome, deployed.Cause, err)
	}
	time.AfterFunc(500*time.Millisecond, func() { s.inConsole(*next.Release.Model, types.ModelApprovalStatusRejected) })
	bake := step.WatchParams{Bake: delivery.Duration(time.Minute)}
	bake.Target = "local"
	begun := time.Now()
	watched, err := watch.Step{Services: s.services}.Run(t.Context(), s.request(step.Watch, bake, map[string]json.RawMessage{"deploy": deployed.Output}))
	if err != nil || watched.Outcome != delivery.OutcomeFailed || !strings.Contains(watched.Cause, next.Release.Model.String()+" was rejected by ben") {
		t.Fatalf("outcome = %s (%q), error = %v, want the rejection", watched.Outcome, watched.Cause, err)
	}
	t.Logf("the rejection was seen %s after it", time.Since(begun)-500*time.Millisecond)
	undo := s.request(step.Deploy, params, nil)
	undo.Cause = watched.Cause
	if res, err := (rollback.Step{Services: s.services}).Run(t.Context(), undo); err != nil || res.Outcome != delivery.OutcomeSucceeded {
		t.Fatalf("rollback: outcome = %s (%q), error = %v", res.Outcome, res.Cause, err)
	}
	if serving, all := s.Target.Running("prod"); serving != before.ID || len(all) != 1 {
		t.Errorf("%s serves of %v, want %s with model %s", serving, all, before.ID, before.Release.Model)
	}
	cycle, _ := s.lab.ModelPackages(modelGroup)[1].Fields["ModelLifeCycle"].(map[string]any)
	if cycle["Stage"] != "prod" || cycle["StageStatus"] != "RolledBack" {
		t.Errorf("life cycle %v", cycle)
	}
	if res, err := deploys(); err == nil {
		t.Errorf("it is deployed again: %s", res.Outcome)
	}
}

// A model that failed in production, and came alone, is rejected in SageMaker with the
// reason: nobody else deploys it either.
func TestSageMaker_RollbackRejects(t *testing.T) {
	s := newShop(t)
	before, next := s.release(1), s.release(2)
	s.Serve("prod", "20260101-000000-aaaa", before, time.Now())
	s.inConsole(*next.Release.Model, types.ModelApprovalStatusApproved)
	params := step.DeployParams{Release: next.ID}
	params.Target = "local"
	if res, err := (deploy.Step{Services: s.services}).Run(t.Context(), s.request(step.Deploy, params, nil)); err != nil || res.Outcome != delivery.OutcomeSucceeded {
		t.Fatalf("outcome = %s (%q), error = %v", res.Outcome, res.Cause, err)
	}
	undo := s.request(step.Deploy, params, nil)
	undo.Cause = "watch: p95 is 3 s"
	if res, err := (rollback.Step{Services: s.services}).Run(t.Context(), undo); err != nil || res.Outcome != delivery.OutcomeSucceeded {
		t.Fatalf("rollback: outcome = %s (%q), error = %v", res.Outcome, res.Cause, err)
	}
	p := s.lab.ModelPackages(modelGroup)[1].Fields
	if p["ModelApprovalStatus"] != "Rejected" || !strings.Contains(p["ApprovalDescription"].(string), undo.Cause) {
		t.Errorf("version is %v: %v", p["ModelApprovalStatus"], p["ApprovalDescription"])
	}
}
