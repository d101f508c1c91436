package design

import (
	"slices"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/step"
)

// user is a section that calls AWS, with where it does.
type user struct {
	env  delivery.Environment
	user extension.RightsUser
	at   extension.AWSPlace
}

// users are the sections of the model in all environments that reach their steps.
func (d *designer) users() []user {
	var all []user
	if !d.isCommon() {
		return nil
	}
	for _, name := range d.project.EnvironmentNames() {
		env := delivery.Environment(name)
		m, at := d.project.In(env).Model, d.place(env)
		at.Environment = ""
		if m == nil {
			continue
		}
		if u, ok := m.Registry.Section.(extension.RightsUser); ok {
			all = append(all, user{env, u, at})
		}
		if !d.trains(env) {
			continue
		}
		if u, ok := sectionOf(m.Train.On).(extension.RightsUser); ok {
			on := at
			on.Trains = true
			all = append(all, user{env, u, on})
		}
		if m.Evaluate == nil {
			continue
		}
		if u, ok := sectionOf(m.Evaluate.On).(extension.RightsUser); ok {
			on := at
			on.Evaluates = true
			all = append(all, user{env, u, on})
		}
	}
	return all
}

func sectionOf(r *config.Runner) any {
	if r == nil {
		return nil
	}
	return r.Section
}

// trains reports whether a run of the environment may train.
func (d *designer) trains(env delivery.Environment) bool {
	e, m := d.project.Environments[env], d.project.In(env).Model
	if m == nil || m.Train == nil || m.TrainsWhen() == config.TrainNever || e.From != "" {
		return false
	}
	return d.reaches(env, step.Train) && (!d.onlyPulls(env) || !m.IsHeldForPulls())
}

// stages are the steps in their order, as far as rights depend on them.
var stages = []step.Kind{step.Test, step.Build, step.Scan, step.Push, step.Train, step.Evaluate, step.Register, step.Attest, step.Approve, step.Deploy}

// reaches reports whether a run of the environment gets to a step.
func (d *designer) reaches(env delivery.Environment, kind step.Kind) bool {
	until := d.project.Environments[env].Until
	if until == "" {
		return true
	}
	last := slices.Index(stages, step.Kind(until))
	return last < 0 && kind == step.Test || last >= slices.Index(stages, kind)
}
