package catalog_test

import (
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/deploy"
	"github.com/slipway-cd/slipway/internal/step/rollback"
)

// A service that loads its model itself is never accepted with another version than the
// release's, although a newer one is Approved.
func TestSageMaker_ServiceLoadsTheLatest(t *testing.T) {
	for name, tt := range map[string]struct {
		api    api
		by     delivery.ModelDelivery
		failed string // empty: it passes
	}{
		"loads the newest, whatever it is told": {api{}, delivery.DeliverByEnv, `it serves model version "` + modelGroup[:8]},
		"loads the newest besides an image":     {api{}, delivery.DeliverByInit, `it serves model version "` + modelGroup[:8]},
		"says nothing":                          {api{discreet: true}, delivery.DeliverByEnv, "it does not say which model it serves"},
		"loads what it is told":                 {api{heeds: true}, delivery.DeliverByEnv, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, tt.api)
			pinned := c.approved("first")
			c.approved("second") // by whomever, meanwhile
			res := c.deploys(prodRun, paramsFor(pinned, tt.by))
			serving, _ := c.Running("prod")
			if tt.failed != "" {
				if res.Outcome != delivery.OutcomeFailed || !strings.Contains(res.Cause, tt.failed) || serving != "" {
					t.Errorf("outcome = %s (%q), %q serves, want %s", res.Outcome, res.Cause, serving, tt.failed)
				}
				return
			}
			if res.Outcome != delivery.OutcomeSucceeded || serving == "" {
				t.Fatalf("outcome = %s (%q), %q serves", res.Outcome, res.Cause, serving)
			}
			if res := c.verifies(prodRun, res); res.Outcome != delivery.OutcomeSucceeded || !strings.Contains(res.GateResults[0].Evidence, "with model "+pinned.String()) {
				t.Errorf("outcome = %s (%q), gates %+v", res.Outcome, res.Cause, res.GateResults)
			}
		})
	}
}

// It is noticed, too, when a pod starts again after a newer version was approved.
func TestSageMaker_ServiceLoadsTheLatestLater(t *testing.T) {
	c := newCluster(t, api{})
	pinned := c.approved("first")
	deployed := c.deploys(prodRun, paramsFor(pinned, delivery.DeliverByEnv))
	if res := c.verifies(prodRun, deployed); deployed.Outcome != delivery.OutcomeSucceeded || res.Outcome != delivery.OutcomeSucceeded {
		t.Fatalf("deploy: %s (%q), verify: %s (%q)", deployed.Outcome, deployed.Cause, res.Outcome, res.Cause)
	}
	c.approved("second")
	serving, _ := c.Running("prod")
	rel, err := c.shop.services.Releases.Get(t.Context(), serving)
	if err == nil {
		err = c.restart(t.Context(), serving, rel.Release)
	}
	if err != nil {
		t.Fatal(err)
	}
	if res := c.verifies(prodRun, deployed); res.Outcome != delivery.OutcomeFailed || !strings.Contains(res.Cause, "it serves model version") {
		t.Errorf("outcome = %s (%q)", res.Outcome, res.Cause)
	}
}

// A rollback tells the service the version of the release that it returns to, together
// with its code.
func TestSageMaker_RollbackTellsTheModel(t *testing.T) {
	c := newCluster(t, api{heeds: true})
	first, second := c.approved("first"), c.approved("second")
	accepted := c.deploys("20260101-000000-aaaa", paramsFor(first, delivery.DeliverByEnv))
	before, told := c.told["MODEL_PACKAGE_ARN"], c.told
	out, _, err := step.DecodeOutput[step.DeployOutput](rawOf(accepted), "deploy")
	if err == nil {
		err = c.shop.services.Deployments.Accept(t.Context(), out.Deployment, time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	if o, _ := c.shop.lab.Object("mlops-models", strings.TrimPrefix(told["MODEL_DATA_URL"], "s3://mlops-models/")); o.VersionID == "" || told["MODEL_DATA_VERSION"] != o.VersionID || told["MODEL_VERSION"] != "1" {
		t.Errorf("it was told %v, and the object has the version %q", told, o.VersionID)
	}
	params := paramsFor(second, delivery.DeliverByEnv)
	next := c.deploys(prodRun, params)
	if after := c.told["MODEL_PACKAGE_ARN"]; next.Outcome != delivery.OutcomeSucceeded || after == before || !strings.HasSuffix(after, modelGroup+"/2") {
		t.Fatalf("outcome = %s (%q), it was told %q", next.Outcome, next.Cause, after)
	}
	undo := c.request(prodRun, step.Deploy, params, rawOf(next))
	undo.Cause = "verify: no"
	if res, err := (rollback.Step{Services: c.shop.services}).Run(t.Context(), undo); err != nil || res.Outcome != delivery.OutcomeSucceeded {
		t.Fatalf("rollback: outcome = %s (%q), error = %v", res.Outcome, res.Cause, err)
	}
	if serving, _ := c.Running("prod"); serving != out.Release || c.told["MODEL_PACKAGE_ARN"] != before || c.told["MODEL_VERSION"] != "1" {
		t.Errorf("%s serves, and was told %v, want %s with %s", serving, c.told, out.Release, before)
	}
}

// A version whose files were replaced is not deployed: the service would load others.
func TestSageMaker_ReplacedFilesAreNotDeployed(t *testing.T) {
	c := newCluster(t, api{heeds: true})
	pinned := c.approved("first")
	keys := c.shop.lab.Keys("mlops-models", "slipway/"+modelGroup+"/models/")
	if _, err := c.shop.lab.PutObject("mlops-models", keys[0], []byte("other")); err != nil {
		t.Fatal(err)
	}
	r := c.request(prodRun, step.Deploy, paramsFor(pinned, delivery.DeliverByEnv), pushed(t))
	if res, err := (deploy.Step{Services: c.shop.services, ModelImages: c}).Run(t.Context(), r); err == nil || !strings.Contains(err.Error(), "was overwritten") {
		t.Errorf("outcome = %s, error = %v", res.Outcome, err)
	}
}
