package jobs

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// limitTo gives this machine's user, and the role of the jobs, the rights that the design
// of an account says they need, and no others.
func (l *lab) limitTo(p extension.AWSPlace) {
	l.t.Helper()
	p.AWS = l.section.AWS
	r := l.section.AWSRights(p)
	set := func(name string, all []account.Statement) {
		text, err := json.Marshal(account.Document{Statements: all})
		if err = errors.Join(err, l.SetPolicies(name, "", string(text))); err != nil {
			l.t.Fatal(err)
		}
	}
	set("user/alice", r.Statements)
	for _, passed := range r.Passes {
		set("role/training", passed.Statements)
	}
}

// A project that only trains on SageMaker, or only evaluates there, needs the rights on one
// kind of job: to look for one before it is made, to make it, to take it over, to read its
// log and to stop it.
func TestJobs_RightsOfOneKind(t *testing.T) {
	for name, c := range map[string]struct {
		place extension.AWSPlace
		job   func(*lab) port.Job
	}{
		"training":   {extension.AWSPlace{Trains: true}, func(l *lab) port.Job { return l.sample("echo printed") }},
		"evaluation": {extension.AWSPlace{Evaluates: true}, func(l *lab) port.Job { return l.evaluation("echo printed") }},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.t = t
			l.SetContainer(shell())
			l.section.Tags = map[string]string{"team": "retail"}
			l.limitTo(c.place)
			job := c.job(l)
			if s := l.poll(l.open(), port.JobHandle(job.Name)); s.Found {
				t.Fatalf("found before it was made: %+v", s)
			}
			h := l.submit(l.open(), job)
			other := l.open() // that has not submitted it
			if s := porttest.AwaitJob(t, other, h); s.Exit.Code != 0 || s.Reason != "" {
				t.Errorf("%+v", s)
			}
			j := l.open()
			l.submit(j, job)
			if s := porttest.AwaitJob(t, j, h); s.Exit.Code != 0 || !strings.Contains(porttest.JobLog(t, j, h, 0), "printed\n") {
				t.Errorf("%+v, log %q", s, porttest.JobLog(t, j, h, 0))
			}
			if err := l.open().Stop(t.Context(), h); err != nil {
				t.Error(err)
			}
		})
	}
}
