package app

import (
	"context"
	"encoding/json"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/step"
)

// cacheLookup looks up a result in the cache as the engine will.
func (s *session) cacheLookup(ctx context.Context, class delivery.TrustClass) func(step.Spec, map[string]json.RawMessage) (step.Result, bool) {
	fingerprints := map[step.Kind]string{}
	return func(spec step.Spec, given map[string]json.RawMessage) (step.Result, bool) {
		if _, ok := fingerprints[spec.Kind]; !ok {
			if p, ok := s.deps.Steps[spec.Kind].(step.Fingerprinter); ok {
				text, err := p.Fingerprint(ctx, spec)
				if err != nil {
					s.unavailable[spec.Kind] = err
					return step.Result{}, false // the engine will say why
				}
				fingerprints[spec.Kind] = text
			}
		}
		portable := s.places().PortableSpecs([]step.Spec{spec})[0]
		key, err := step.CacheKey(portable, fingerprints[spec.Kind], given)
		if err != nil {
			return step.Result{}, false
		}
		r, ok, err := s.deps.Cache.Peek(ctx, step.KeyIn(class, key)) // the engine's look-up is the use
		return s.remember(spec, r, ok && err == nil)
	}
}

// existingLookup finds what steps would find elsewhere. What can't be asked has
// nothing; the step itself logs why.
func (s *session) existingLookup(ctx context.Context) func(step.Spec) (step.Result, bool) {
	return func(spec step.Spec) (step.Result, bool) {
		finder, ok := s.deps.Steps[spec.Kind].(step.ResultFinder)
		if !ok {
			return step.Result{}, false
		}
		r, ok, err := finder.FindResult(ctx, s.project.Service, spec)
		return s.remember(spec, r, ok && err == nil)
	}
}

// remember keeps the output of a result that was found, for what the plan shows.
func (s *session) remember(spec step.Spec, r step.Result, ok bool) (step.Result, bool) {
	if ok {
		s.known[spec.Name] = r.Output
	}
	return r, ok
}
