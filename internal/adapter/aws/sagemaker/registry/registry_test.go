package registry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

const (
	group  = "retail-price-sensitivity-models"
	bucket = "mlops-models"
)

// start starts an AWS with a bucket, whose user this process is.
func start(t *testing.T) *awstest.Lab {
	t.Helper()
	l := awstest.Start(t, awstest.Config{})
	awstest.As(t, l.AddUser("slipway"))
	l.AddBucket(awstest.Bucket{Name: bucket})
	return l
}

// config is that of a process.
func config(t *testing.T, l *awstest.Lab) Config {
	t.Helper()
	return Config{
		AWS: extension.AWS{Account: awstest.Account, Region: awstest.Region}, Storage: "s3://" + bucket + "/slipway", Scratch: t.TempDir(), Pause: time.Millisecond,
		Options: session.Options{Client: l.Client, Backoff: func(int) time.Duration { return 0 }},
	}
}

// open opens the registry as another process would.
func open(t *testing.T, l *awstest.Lab) *Registry {
	t.Helper()
	return New(config(t, l))
}

func digestOf(n int) delivery.Digest { return delivery.DigestOf([]byte(fmt.Sprint(n))) }

func registered(t *testing.T, r *Registry) delivery.ModelVersion {
	t.Helper()
	v, err := r.Register(t.Context(), group, digestOf(1), delivery.Metrics{"accuracy": 0.9}, delivery.Lineage{Commit: "abc", Data: digestOf(7)})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func decide(t *testing.T, r *Registry, v delivery.ModelVersion, status delivery.ModelStatus) delivery.ModelVersion {
	t.Helper()
	got, err := r.Decide(t.Context(), v.ModelRef, delivery.ModelDecision{Status: status, By: delivery.Actor{Name: "ana"}, Why: "seen"})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestRegistry_Conformance(t *testing.T) {
	porttest.TestModels(t, func(t *testing.T) func() port.ModelRegistry {
		l := start(t)
		t.Cleanup(func() {
			if err := l.Invalid(); err != nil {
				t.Errorf("AWS's models refuse requests: %v", err)
			}
		})
		return func() port.ModelRegistry { return open(t, l) }
	})
}

// Complaint 8, and point 5: one call in five is throttled or answered 5xx, and one
// response in fifty is lost.
func TestRegistry_Faults(t *testing.T) {
	porttest.TestModels(t, func(t *testing.T) func() port.ModelRegistry {
		l := start(t)
		l.Inject(faults(1))
		return func() port.ModelRegistry { return open(t, l) }
	})
}

// faults are those of the issue, by a seed.
func faults(seed uint64) func(*awstest.Call) awstest.Fault {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 0))
	return func(*awstest.Call) awstest.Fault {
		mu.Lock()
		defer mu.Unlock()
		switch n := random.IntN(100); {
		case n < 10:
			return awstest.Throttled
		case n < 20:
			return awstest.Unavailable
		case n < 22:
			return awstest.ResponseLost
		}
		return awstest.NoFault
	}
}

// TestRegistry_KilledAtEveryCall stops a process at each of its requests, once before AWS
// did the work and once after, while calls fail and lists lag: the next process finds one
// version and one decision.
func TestRegistry_KilledAtEveryCall(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at := int64(1); ; at++ {
			l := start(t)
			l.HideNewModelPackages(2)
			ctx, kill := context.WithCancelCause(t.Context())
			var calls atomic.Int64
			l.Inject(func(*awstest.Call) awstest.Fault {
				switch n := calls.Add(1); {
				case n < at:
					return awstest.NoFault
				case n == at:
					kill(errors.New("killed"))
				}
				if after {
					return awstest.ResponseLost
				}
				return awstest.Unavailable
			})
			_, err := registerAndApprove(ctx, open(t, l))
			kill(nil)
			l.Inject(faults(uint64(at)))
			got, err2 := registerAndApprove(t.Context(), open(t, l))
			all := l.ModelPackages(group)
			decisions, err3 := open(t, l).Decisions(t.Context(), group, got.Version)
			if errs := errors.Join(err2, err3); errs != nil || len(all) != 1 || len(decisions) != 1 || got.Status != delivery.Approved {
				t.Errorf("killed at %d, after the work %v: %d versions, decisions %+v, error = %v", at, after, len(all), decisions, errs)
			}
			if err == nil {
				if at < 10 {
					t.Errorf("the process made %d requests only", at)
				}
				break
			}
		}
	}
}

func registerAndApprove(ctx context.Context, r *Registry) (delivery.ModelVersion, error) {
	v, err := r.Register(ctx, group, digestOf(1), delivery.Metrics{"accuracy": 0.9}, delivery.Lineage{Commit: "abc"})
	if err != nil || v.Status == delivery.Approved {
		return v, err
	}
	return r.Decide(ctx, v.ModelRef, delivery.ModelDecision{Status: delivery.Approved, Revises: delivery.PendingApproval, By: delivery.Actor{Name: "ana"}})
}

// What AWS's tokens do not cover: time that goes by between two processes.
func TestRegistry_TokenForgotten(t *testing.T) {
	l := start(t)
	first := registered(t, open(t, l))
	l.ForgetClientTokens()
	if again := registered(t, open(t, l)); again.Version != first.Version {
		t.Errorf("version %d, want %d: it is looked for first", again.Version, first.Version)
	}
	if all := l.ModelPackages(group); len(all) != 1 {
		t.Errorf("%d versions", len(all))
	}
}

// What others see in SageMaker.
func TestRegistry_ShowsTheVersion(t *testing.T) {
	l := start(t)
	r := open(t, l)
	decide(t, r, registered(t, r), delivery.Approved)
	p := l.ModelPackages(group)[0].Fields
	metadata, _ := p["CustomerMetadataProperties"].(map[string]any)
	if metadata[keyCommit] != "abc" || metadata[keyData] != string(digestOf(7)) {
		t.Errorf("metadata %v", metadata)
	}
	if p["ModelApprovalStatus"] != "Approved" || p["ApprovalDescription"] != "seen (by ana)" {
		t.Errorf("approval %v: %v", p["ModelApprovalStatus"], p["ApprovalDescription"])
	}
	keys := l.Keys(bucket, "slipway/"+group+"/metrics/")
	if len(keys) != 1 || !strings.Contains(fmt.Sprint(p["ModelMetrics"]), keys[0]) {
		t.Errorf("metrics %v, objects %q", p["ModelMetrics"], keys)
	}
}

func TestRegistry_LongLineage(t *testing.T) {
	l := start(t)
	want := delivery.Lineage{Commit: "abc", Command: strings.Repeat("python train.py; ", 200)}
	v, err := open(t, l).Register(t.Context(), group, digestOf(1), nil, want)
	if err != nil || v.Lineage.Command != want.Command {
		t.Errorf("lineage of %d bytes, error = %v", len(v.Lineage.Command), err)
	}
	if err := l.Invalid(); err != nil {
		t.Error(err)
	}
}
