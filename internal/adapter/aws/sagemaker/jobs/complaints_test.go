package jobs

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func sprint(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Complaint 8 of peers' users: for a minute AWS answers every look with a throttling
// error. The run waits, looks less often, goes on, and makes no second job; one that
// starts in that minute adopts the job.
func TestComplaint8_Throttled(t *testing.T) {
	l := newLab(t)
	l.SetLife(func(awstest.Job) awstest.Life {
		return awstest.Life{Lasts: 2 * time.Minute, Model: map[string]string{"m": "x"}}
	})
	j, job := l.open(), l.sample("true")
	h := l.submit(j, job)
	begun, throttled := l.now(), 0
	l.Inject(func(call *awstest.Call) awstest.Fault {
		looks := strings.HasPrefix(call.Operation.Name, "Describe") || call.Operation.Name == "GetLogEvents"
		if looks && l.now().Sub(begun) < time.Minute {
			throttled++
			return awstest.Throttled
		}
		return awstest.NoFault
	})
	pauses := 0
	for l.now().Sub(begun) < time.Minute {
		before := throttled
		if s := l.poll(j, h); s.Done || !s.Found {
			t.Fatalf("throttled: %+v", s)
		}
		if throttled == before {
			pauses++ // the state that was known counts
		}
		l.skew.Add(int64(time.Second))
	}
	if own := l.open().(*Jobs); own.interval != time.Millisecond || pauses == 0 {
		t.Errorf("it looked at every poll: %d throttled calls", throttled)
	}
	l.submit(l.open(), job)
	l.skew.Add(int64(3 * time.Minute))
	if s := porttest.AwaitJob(t, j, h); s.Exit.Code != 0 || s.Reason != "" {
		t.Errorf("%+v", s)
	}
	if made := l.Count("sagemaker", "CreateTrainingJob"); made != 1 {
		t.Errorf("%d jobs", made)
	}
}

// A process that starts while AWS throttles waits before it makes anything.
func TestComplaint8_AdoptsWhileThrottled(t *testing.T) {
	l := newLab(t)
	l.SetLife(func(awstest.Job) awstest.Life { return awstest.Life{Lasts: time.Hour} })
	job := l.sample("true")
	l.submit(l.open(), job)
	n := 0
	l.Inject(func(call *awstest.Call) awstest.Fault {
		if n++; strings.HasPrefix(call.Operation.Name, "Describe") && n < 40 {
			return awstest.Throttled
		}
		return awstest.NoFault
	})
	l.submit(l.open(), job)
	if made := l.Count("sagemaker", "CreateTrainingJob"); made != 1 || n < 40 {
		t.Errorf("%d jobs after %d calls", made, n)
	}
}

// Complaint 9: a quota is named with its value and a link.
func TestComplaint9_Quota(t *testing.T) {
	l := newLab(t)
	l.SetQuota("ml.m5.xlarge", 0)
	_, err := l.open().Submit(t.Context(), l.sample("true"))
	if !fault.Is(err, fault.Exhausted) || !strings.Contains(err.Error(), `quota "ml.m5.xlarge for training job usage" is 0, and 0 are in use`) ||
		!strings.Contains(fault.HintOf(err), "https://ap-southeast-1.console.aws.amazon.com/servicequotas") {
		t.Errorf("%v\nhint: %s", err, fault.HintOf(err))
	}
}

// Complaint 9: where the first type has no capacity, the next one is taken; with none
// left it is said that it is capacity, and not a quota.
func TestComplaint9_Capacity(t *testing.T) {
	l := newLab(t)
	l.section.Price = map[string]string{"ml.m5.2xlarge": "0.60 USD"}
	l.SetCapacity("ml.m5.xlarge", false)
	l.SetLife(func(awstest.Job) awstest.Life {
		return awstest.Life{Lasts: time.Minute, Model: map[string]string{"m": "x"}}
	})
	j, job := l.open(), l.sample("true")
	h := l.submit(j, job)
	l.poll(j, h)
	l.skew.Add(int64(30 * time.Minute))
	porttest.AwaitJob(t, j, h)
	if log := porttest.JobLog(t, j, h, 0); !strings.Contains(log, "slipway: 1 x ml.m5.2xlarge, 30m0s billed, about 0.30 USD\n") {
		t.Errorf("log %q", log)
	}
	l.SetCapacity("ml.m5.2xlarge", false)
	job.Name += "-2"
	h = l.submit(j, job)
	err := l.awaitFailure(j, h)
	if !fault.Is(err, fault.Exhausted) || !strings.Contains(err.Error(), "no capacity") || !strings.Contains(fault.HintOf(err), "ml.m5.xlarge, ml.m5.2xlarge") || strings.Contains(err.Error(), "quota") {
		t.Errorf("%v\nhint: %s", err, fault.HintOf(err))
	}
}

// Complaint 5: credentials of variables that can't be renewed end a run before its job,
// not in the middle of it.
func TestComplaint5_Credentials(t *testing.T) {
	l := newLab(t)
	awstest.As(t, l.AddSession("deploy", "ci", 15*time.Minute))
	job := l.sample("true")
	job.Command.Timeout = 3 * time.Hour
	for _, ends := range []string{"", l.now().Add(15 * time.Minute).Format(time.RFC3339)} {
		l.env["AWS_CREDENTIAL_EXPIRATION"] = ends
		_, err := l.open().Submit(t.Context(), job)
		if !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "the job may take 3h0m0s") || !strings.Contains(err.Error(), "can't be renewed") || fault.HintOf(err) == "" {
			t.Errorf("%v\nhint: %s", err, fault.HintOf(err))
		}
	}
	if n := l.Count("sagemaker", "CreateTrainingJob") + l.Count("s3", "PutObject"); n != 0 {
		t.Errorf("%d things were made", n)
	}
	l.env["AWS_CREDENTIAL_EXPIRATION"] = l.now().Add(4 * time.Hour).Format(time.RFC3339)
	l.submit(l.open(), job)
}

// Resume after a new login: credentials end while the job runs, and the next process
// finds it.
func TestComplaint5_ResumesAfterLogin(t *testing.T) {
	l := newLab(t)
	l.SetLife(func(awstest.Job) awstest.Life {
		return awstest.Life{Lasts: 3 * time.Hour, Model: map[string]string{"m": "x"}}
	})
	l.env["AWS_CREDENTIAL_EXPIRATION"] = l.now().Add(4 * time.Hour).Format(time.RFC3339)
	awstest.As(t, l.AddSession("deploy", "ci", 15*time.Minute))
	j, job := l.open(), l.sample("true")
	h := l.submit(j, job)
	l.skew.Add(int64(16 * time.Minute))
	l.expired.Store(int64(16 * time.Minute))
	if err := l.awaitFailure(j, h); !fault.Is(err, fault.Denied) || !strings.Contains(fault.HintOf(err), "slipway run --resume") {
		t.Errorf("%v\nhint: %s", err, fault.HintOf(err))
	}
	l.expired.Store(0)
	awstest.As(t, l.AddUser("bob"))
	l.skew.Add(int64(3 * time.Hour))
	j = l.open()
	if s := porttest.AwaitJob(t, j, l.submit(j, job)); s.Exit.Code != 0 || s.Reason != "" {
		t.Errorf("%+v", s)
	}
	if made := l.Count("sagemaker", "CreateTrainingJob"); made != 1 {
		t.Errorf("%d jobs", made)
	}
}

// Rights that come with another call are named.
func TestSubmit_Denied(t *testing.T) {
	for action, resource := range map[string]string{"sagemaker:AddTags": "arn:aws:sagemaker:ap-southeast-1:111122223333:training-job/slipway-", "iam:PassRole": "arn:aws:iam::111122223333:role/training"} {
		l := newLab(t)
		l.section.Tags = map[string]string{"team": "retail"}
		l.DenyAction(action)
		_, err := l.open().Submit(t.Context(), l.sample("true"))
		if hint := fault.HintOf(err); !fault.Is(err, fault.Denied) || !strings.HasPrefix(hint, "add "+action+" on "+resource) {
			t.Errorf("%v\nhint: %s", err, hint)
		}
	}
}

// A job that AWS ended for a reason of its own, and one whose logs may not be read.
func TestPoll_Failures(t *testing.T) {
	l := newLab(t)
	l.SetLife(func(awstest.Job) awstest.Life {
		return awstest.Life{Fail: "ClientError: Unable to pull the image", Lines: []string{"x"}}
	})
	l.Inject(func(call *awstest.Call) awstest.Fault {
		if call.Service.Name == "logs" {
			return awstest.Denied
		}
		return awstest.NoFault
	})
	j := l.open()
	h := l.submit(j, l.sample("true"))
	err := l.awaitFailure(j, h)
	if !fault.Is(err, fault.Failed) || !strings.Contains(err.Error(), "Unable to pull the image") {
		t.Errorf("%v", err)
	}
	if log := porttest.JobLog(t, j, h, 0); !strings.Contains(log, "logs:DescribeLogStreams") {
		t.Errorf("log %q", log)
	}
}
