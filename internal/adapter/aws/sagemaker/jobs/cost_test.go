package jobs

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func TestExtension_Rates(t *testing.T) {
	got := Extension().Rates(&Section{
		Instances: []string{"ml.m5.large", "ml.m5.xlarge", "ml.p3.2xlarge"}, Count: 2, MaxRuntime: delivery.Duration(time.Hour), KeepAlive: delivery.Duration(10 * time.Minute),
		Price: map[string]string{"ml.m5.large": "0.115 USD", "ml.m5.xlarge": "0.23 USD", "ml.m5.24xlarge": "5 USD"},
	})
	rate := func(instance string, amount float64, currency string) delivery.Rate {
		return delivery.Rate{Instance: instance, Count: 2, Price: delivery.Money{Amount: amount, Currency: currency}, Limit: delivery.Duration(time.Hour), Kept: delivery.Duration(10 * time.Minute)}
	}
	want := []delivery.Rate{rate("ml.m5.large", 0.115, "USD"), rate("ml.m5.xlarge", 0.23, "USD"), rate("ml.p3.2xlarge", 0, "")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rates (-want +got):\n%s", diff)
	}
}

// What a job used is known however it ended: its billed seconds, or while AWS does not
// tell them yet, all the time since it got its instances.
func TestJobs_Usage(t *testing.T) {
	for _, c := range []struct {
		name string
		fail string
		stop bool
		want time.Duration
	}{
		{name: "succeeded", want: 30 * time.Minute},
		{name: "the command failed", fail: "AlgorithmError: , exit code: 3", want: 30 * time.Minute},
		{name: "the instance failed", fail: "InternalServerError: we are sorry", want: 30 * time.Minute},
		{name: "stopped", stop: true, want: 20 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.SetLife(func(awstest.Job) awstest.Life {
				return awstest.Life{Lasts: 30 * time.Minute, Fail: c.fail, Model: map[string]string{"m": "x"}}
			})
			j := l.open()
			h := l.submit(j, l.sample("true"))
			l.poll(j, h)
			if c.stop {
				l.skew.Add(int64(20 * time.Minute))
				l.poll(j, h)
				if err := j.Stop(t.Context(), h); err != nil {
					t.Fatal(err)
				}
			} else {
				l.skew.Add(int64(30 * time.Minute))
			}
			var s port.JobState
			porttest.Await(t, "the job ends", func() (over bool) {
				var err error
				s, err = j.Poll(t.Context(), h)
				return s.Done || err != nil
			})
			if s.Usage == nil || s.Usage.Instance != "ml.m5.xlarge" || s.Usage.Count != 1 || (s.Usage.Billed.D()-c.want).Abs() > time.Minute {
				t.Errorf("used %+v, want about %s of one ml.m5.xlarge", s.Usage, c.want)
			}
		})
	}
}

// A job that got no instance costs nothing.
func TestJobs_UsageWithoutCapacity(t *testing.T) {
	l := newLab(t)
	l.SetCapacity("ml.m5.xlarge", false)
	l.SetCapacity("ml.m5.2xlarge", false)
	j := l.open()
	h := l.submit(j, l.sample("true"))
	s, err := j.Poll(t.Context(), h)
	if !fault.Is(err, fault.Exhausted) || s.Usage == nil || s.Usage.Billed != 0 {
		t.Errorf("used %+v, error = %v; want nothing used", s.Usage, err)
	}
}

// A process that asks whether a job exists, and submits it then, gets its outputs.
func TestJobs_PollBeforeSubmit(t *testing.T) {
	l := newLab(t)
	l.SetLife(func(awstest.Job) awstest.Life { return awstest.Life{Model: map[string]string{"m": "x"}} })
	job := l.sample("true")
	first := l.open()
	if s := l.poll(first, port.JobHandle(job.Name)); s.Found {
		t.Fatalf("%+v, before there is a job", s)
	}
	h := l.submit(first, job)
	if s := porttest.AwaitJob(t, first, h); s.Exit.Code != 0 || len(s.Outputs) != 1 {
		t.Errorf("%+v", s)
	}
	again := l.open()
	if s := l.poll(again, port.JobHandle(job.Name)); !s.Found || !s.Done {
		t.Fatalf("%+v, want the job that has ended", s)
	}
	l.submit(again, job)
	if s := porttest.AwaitJob(t, again, h); len(s.Outputs) != 1 || l.Count("sagemaker", "CreateTrainingJob") != 1 {
		t.Errorf("%+v, %d jobs; want the model of the one job", s, l.Count("sagemaker", "CreateTrainingJob"))
	}
}
