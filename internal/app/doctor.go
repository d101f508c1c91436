package app

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
)

// Diagnosis is what one check of `slipway doctor` found.
type Diagnosis struct {
	Place string `json:"place"` // "machine", "aws", or an environment
	Check string `json:"check"`
	port.CheckResult
}

// The states of a check.
const (
	CheckFailed  = port.CheckFailed
	CheckUnknown = port.CheckUnknown
)

// checkTimeout bounds each check.
const checkTimeout = 20 * time.Second

// Diagnose looks at what deliveries to the environment depend on, or to all of them if it
// is empty, and changes nothing. The shared state is not opened: it may be what does not
// work. The order does not depend on which check ends first.
func (a *App) Diagnose(ctx context.Context, env delivery.Environment) (all []Diagnosis, err error) {
	alone := *a
	alone.State = NoState
	err = alone.withPreviewSession(ctx, func(s *session) error {
		checks, err := s.checks(env)
		if err != nil {
			return err
		}
		all = runChecks(ctx, checks, checkTimeout)
		for i, d := range all {
			all[i].Seen, all[i].Mend = s.redactor.Text(d.Seen), s.redactor.Text(d.Mend)
		}
		return ctx.Err()
	})
	return all, err
}

// placedCheck is a check of a place.
type placedCheck struct {
	place string
	port.Check
}

// runChecks runs all of them at once, each for at most the timeout.
func runChecks(ctx context.Context, checks []placedCheck, timeout time.Duration) []Diagnosis {
	all := make([]Diagnosis, len(checks))
	var running sync.WaitGroup
	for i, c := range checks {
		running.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			all[i] = Diagnosis{c.place, c.Name, c.Run(ctx)}
		})
	}
	running.Wait()
	return all
}

// checks are those of the machine, of the project's account, and of environments.
func (s *session) checks(env delivery.Environment) ([]placedCheck, error) {
	names := s.project.EnvironmentNames()
	if env != "" {
		if _, err := s.project.Environment(env); err != nil {
			return nil, err
		}
		names = []string{string(env)}
	}
	all := placed("machine", s.machineChecks())
	common := s.commonAWS()
	if s.deps.AWSChecks != nil && common.Region != "" {
		all = append(all, placed("aws", s.deps.AWSChecks(common))...)
	}
	for _, name := range names {
		own, err := s.environmentChecks(delivery.Environment(name), common)
		if err != nil {
			return nil, err
		}
		all = append(all, placed(name, own)...)
	}
	return all, nil
}

func placed(place string, checks []port.Check) (all []placedCheck) {
	for _, c := range checks {
		all = append(all, placedCheck{place, c})
	}
	return all
}

// machineChecks are those of where Slipway runs.
func (s *session) machineChecks() []port.Check {
	checks := []port.Check{{Name: "free space", Run: func(context.Context) port.CheckResult { return checkSpace(s.workspace.Repository) }}}
	if box := s.project.Box; s.deps.CheckBox != nil && box != "" && box != "none" {
		checks = append(checks, port.Check{Name: "box", Run: func(ctx context.Context) port.CheckResult {
			if err := s.deps.CheckBox(ctx); err != nil {
				state := port.CheckWarning
				if box == "own" {
					state = port.CheckFailed
				}
				return port.CheckResult{State: state, Seen: err.Error(), Mend: "see docs/threat-model.md, or set box: none in slipway.yaml"}
			}
			return port.CheckResult{State: port.CheckOK, Seen: "commands can run in a box"}
		}})
	}
	return checks
}

// lowSpace is what an image and a model may well need, in bytes.
const lowSpace = 2 << 30

func checkSpace(dir string) port.CheckResult {
	free, known := freeSpace(dir)
	seen := fmt.Sprintf("%.1f GB", float64(free)/1e9)
	const mend = "slipway cleanup"
	switch {
	case !known:
		return port.CheckResult{State: port.CheckOK, Seen: "not known on this system"}
	case free < minFreeToReserve:
		return port.CheckResult{State: port.CheckFailed, Seen: seen, Mend: mend}
	case free < lowSpace:
		return port.CheckResult{State: port.CheckWarning, Seen: seen, Mend: mend}
	}
	return port.CheckResult{State: port.CheckOK, Seen: seen}
}

// commonAWS is what the project as a whole uses in AWS, with the credentials as they are.
func (s *session) commonAWS() extension.AWSChecks {
	p := s.project
	at := extension.AWSChecks{AWS: extension.AWS{Account: p.AWS.Account, Region: p.AWS.Region}, CreateImages: p.Image.Create}
	at.RepositoryHost, at.RepositoryPath = repositoryOfECR(p.Image.Repository)
	m := p.Model
	if m == nil {
		return at
	}
	if m.Registry.Kind == "sagemaker" {
		at.Group = m.Group
	}
	if m.Train != nil {
		at.Quotas = append(at.Quotas, quotasOf(m.Train.On, false)...)
	}
	if m.Evaluate != nil {
		at.Quotas = append(at.Quotas, quotasOf(m.Evaluate.On, true)...)
	}
	return at
}

// repositoryOfECR splits the name of a repository; both are empty if it is elsewhere.
func repositoryOfECR(name string) (host, path string) {
	if host, path = delivery.SplitRepository(name); strings.Contains(host, ".dkr.ecr.") {
		return host, path
	}
	return "", ""
}

func quotasOf(on *config.Runner, evaluates bool) []extension.Quota {
	if on == nil {
		return nil
	}
	user, ok := on.Section.(extension.QuotaUser)
	if !ok {
		return nil
	}
	return user.Quotas(evaluates)
}

// environmentChecks are those of an environment's own place in AWS, and of its target.
func (s *session) environmentChecks(env delivery.Environment, common extension.AWSChecks) (all []port.Check, err error) {
	e, err := s.project.Environment(env)
	if err != nil {
		return nil, err
	}
	at := extension.AWSChecks{AWS: s.project.AWSOf(env), CreateImages: s.project.Image.Create}
	at.Known = at.AWS == common.AWS
	if host, path := repositoryOfECR(s.project.In(env).Image.Repository); host != common.RepositoryHost {
		at.RepositoryHost, at.RepositoryPath = host, path
	}
	if e.Deploys() {
		var cluster struct{ Cluster string }
		if err := e.Target.Location.Decode(&cluster); err != nil {
			return nil, err
		}
		at.Cluster = cluster.Cluster
	}
	if s.deps.AWSChecks != nil && at.Region != "" {
		all = s.deps.AWSChecks(at)
	}
	if !e.Deploys() {
		return all, nil
	}
	target, err := port.Targets(s.deps.Targets).Find(plan.LocationOf(e))
	if err != nil {
		return nil, err
	}
	if c, ok := target.(port.Checker); ok {
		all = append(all, c.Checks(port.CheckRequest{Platforms: platformsOf(s.project.Image)})...)
	}
	return all, nil
}

// platformsOf are those of the image: its builder's, or this machine's.
func platformsOf(i config.Image) []string {
	switch {
	case i.Docker: // what reads that format runs no other
		return []string{"linux/amd64"}
	case len(i.Build.Params.Platforms) > 0:
		return i.Build.Params.Platforms
	}
	return []string{"linux/" + runtime.GOARCH}
}
