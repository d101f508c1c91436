//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

// accountConfig needs something of each kind that has no cluster.
const accountConfig = `version: 1
service: prices
state: s3://prices-state/slipway?region=ap-southeast-1
aws:
  account: "111122223333"
  region: ap-southeast-1
  logs: /slipway/prices
  github: {repository: acme/prices, id: "123", owner_id: "456"}
image: {build: {go: ., inputs: ["*.go", go.mod]}, registry: ecr, repository: mlops/prices}
model:
  group: price-models
  registry: {sagemaker: {storage: s3://prices-models/registry}}
  data: [data.csv]
  train:
    run: sh train.sh {{.Data}} {{.Output}}
    inputs: [train.sh, weights.txt]
    on:
      sagemaker: {role: "arn:aws:iam::111122223333:role/prices-training", image: "python:3.12", instances: [ml.m5.xlarge], bucket: prices-models, max_runtime: 1h}
  evaluate:
    run: sh evaluate.sh {{.Data}} {{.Model}} {{.Metrics}}
    inputs: [evaluate.sh]
    gates: [accuracy >= 0.8]
notify: [{sns: "arn:aws:sns:ap-southeast-1:111122223333:prices-releases"}]
environments:
  staging: {on: {push: develop}, until: approve, aws: {role: "arn:aws:iam::111122223333:role/prices-staging"}}
  prod: {on: {push: main}, until: approve, aws: {role: "arn:aws:iam::111122223333:role/prices-prod"}}
`

// accountKills is the number of kills, unless SLIPWAY_E2E_ACCOUNT_KILLS is set (`make soak`).
const accountKills = 5

// accountPlan is the part of `slipway aws plan --json` that the test looks at.
type accountPlan struct {
	Places []struct {
		Changes []struct {
			Action, Kind, Name string
			Differences        []any
		}
		Unchanged int
	}
}

// planAccount returns the plan, and requires the exit code: 0 if the account is what the
// project needs, 6 if it differs.
func (p *project) planAccount(code int) accountPlan {
	p.t.Helper()
	r := p.slipway("aws", "plan", "--json").wantExit(code)
	var plan accountPlan
	p.must(json.Unmarshal([]byte(r.stdout), &plan))
	if len(plan.Places) != 1 {
		p.t.Fatalf("%d places\n%s", len(plan.Places), r.stdout)
	}
	return plan
}

// TestAWS_Account: a person sets an account up and takes it away again with the program,
// which is killed with SIGKILL at requests that a seed chooses. Whenever that is, the next
// command completes the work, and there is one of everything.
func TestAWS_Account(t *testing.T) {
	t.Parallel()
	seed := envNumber(t, "SLIPWAY_E2E_SEED", uint64(time.Now().UnixNano()))
	rng := rand.New(rand.NewPCG(seed, 17))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("SLIPWAY_E2E_SEED=%d repeats these choices", seed)
		}
	})
	p := newTinyProject(t)
	l := p.startAWS(awstest.Config{})
	l.become(l.cloud.AddUser("admin"))
	p.write("slipway.yaml", accountConfig)
	p.commit("set up an account")
	// What ends the project's services at last finds the bucket of its state gone.
	t.Cleanup(func() { p.edit("slipway.yaml", "state: s3://prices-state/slipway?region=ap-southeast-1\n", "") })

	empty := p.planAccount(6)
	p.slipway("aws", "apply").wantExit(2).wantText("--yes")
	if again := p.planAccount(6); len(again.Places[0].Changes) != len(empty.Places[0].Changes) {
		t.Errorf("changed without a confirmation: %+v", again)
	}
	p.slipway("aws", "apply", "--only", "state", "--yes").wantExit(0).wantText("created bucket prices-state")
	p.slipway("aws", "apply", "--yes").wantExit(0).wantText("created role prices-prod")
	whole := p.planAccount(0).Places[0].Unchanged
	if whole != len(empty.Places[0].Changes) {
		t.Errorf("%d resources, %d were planned", whole, len(empty.Places[0].Changes))
	}

	p.slipway("aws", "destroy", "--yes").wantExit(0)
	for _, c := range p.planAccount(6).Places[0].Changes {
		data := c.Kind == "bucket" || c.Kind == "repository" || c.Kind == "model-package-group"
		if data || c.Action != "create" {
			t.Errorf("after destroy, the plan is to %s the %s %s", c.Action, c.Kind, c.Name)
		}
	}
	p.slipway("aws", "destroy", "--data", "--yes").wantExit(0)
	aim := l.killAt()
	for range int(envNumber(t, "SLIPWAY_E2E_ACCOUNT_KILLS", accountKills)) {
		for _, command := range [][]string{{"aws", "apply", "--yes"}, {"aws", "destroy", "--data", "--yes"}} {
			at := aim(p.start(command...), 1+rng.IntN(4*whole))
			p.slipway(command...).wantExit(0)
			if command[1] == "destroy" {
				continue
			}
			if now := p.planAccount(0).Places[0].Unchanged; now != whole {
				t.Errorf("apply killed at %s: %d resources, want %d", at, now, whole)
			}
		}
		if left := p.planAccount(6).Places[0]; left.Unchanged != 0 || len(left.Changes) != whole {
			t.Errorf("left after destroy: %+v", left)
		}
	}
	p.must(l.cloud.Invalid())
}

// killAt returns what kills a process at its nth request, before or after that request is
// carried out in turn, and returns where it was; one that ends before is not killed.
func (l *awsLab) killAt() func(victim *started, n int) string {
	var mu sync.Mutex
	var victim *started
	var left, kills int
	var at string
	l.cloud.Inject(func(call *awstest.Call) awstest.Fault {
		mu.Lock()
		defer mu.Unlock()
		if left--; victim == nil || left != 0 {
			return awstest.NoFault
		}
		kills++
		at = call.Service.Name + "." + call.Operation.Name
		_ = victim.cmd.Process.Kill()
		if kills%2 == 0 {
			return awstest.Unavailable
		}
		return awstest.NoFault
	})
	return func(v *started, n int) string {
		mu.Lock()
		victim, left, at = v, n, "its end"
		mu.Unlock()
		v.wait()
		mu.Lock()
		defer mu.Unlock()
		victim = nil
		return fmt.Sprintf("request %d, %s", n, strings.TrimSpace(at))
	}
}
