// Package manifest computes the objects of a release as they are applied: held back
// while they are staged, selected by Services, weighted by routes. It is pure.
package manifest

import (
	"slices"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/render"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Set is a release's objects for one place, by what is done with them.
type Set struct {
	Release    delivery.ReleaseID
	All        []*unstructured.Unstructured
	Workloads  []*unstructured.Unstructured // Deployments that run the release's image
	Services   []*unstructured.Unstructured // that select one of the workloads
	Jobs       []*unstructured.Unstructured // in the order in which they run
	Others     []*unstructured.Unstructured // in the order in which they are applied
	Companions []*unstructured.Unstructured // those of the others that have pods of their own
}

// Options describe the place for which a set is made.
type Options struct {
	Registry       string // prefix of images in the embedded registry: "127.0.0.1:5000/"
	PreStopSeconds int64
	Namespace      string // of namespaced objects that name none
	Exclusive      bool   // workloads and Services that name another namespace are rejected
	IsNamespaced   func(*unstructured.Unstructured) bool
}

// New returns the request's objects.
func New(o port.DeployRequest, opts Options) (*Set, error) {
	rel := o.Release
	if rel.Objects == "" {
		return nil, fault.New(fault.Invalid, "deploy %s to %s: the release has no Kubernetes objects; it was built for another target", o.ID, o.Environment).
			Hint("run its commit for this target: `slipway run --env %s`", o.Environment)
	}
	if got := (port.Rendered{Objects: rel.Objects}).Digest(); got != rel.Manifests {
		return nil, fault.New(fault.Corrupt, "the objects of %s have digest %s, but the release pins %s", o.ID, got.Short(), rel.Manifests.Short())
	}
	parsed, err := render.Parse(rel.Objects)
	if err != nil {
		return nil, err
	}
	stamp := render.Stamp{
		Service: o.Service, Environment: o.Environment, Release: o.ID,
		Image: rel.Image, RegistryPrefix: opts.Registry, Secrets: o.Secrets, PreStopSeconds: opts.PreStopSeconds,
	}
	s := &Set{Release: o.ID, All: stamp.Apply(parsed)}
	for i, obj := range s.All {
		if parsed[i].GetKind() == "Deployment" && render.RunsImage(parsed[i], rel.Image) {
			s.Workloads = append(s.Workloads, obj)
		}
		if obj.GetNamespace() == "" && opts.IsNamespaced(obj) {
			obj.SetNamespace(opts.Namespace)
		}
	}
	for _, obj := range s.All {
		s.sort(obj)
	}
	if opts.Exclusive {
		if err := s.checkNamespace(opts.Namespace); err != nil {
			return nil, err
		}
	}
	return s, s.validate()
}

func (s *Set) sort(obj *unstructured.Unstructured) {
	for _, d := range s.Workloads {
		switch {
		case d == obj:
			return
		case obj.GetKind() == "Service" && render.Selects(obj, d):
			s.Services = append(s.Services, obj)
			return
		}
	}
	if IsJob(obj) {
		s.Jobs = append(s.Jobs, obj)
		return
	}
	s.Others = append(s.Others, obj)
	if isCompanion(obj) {
		s.Companions = append(s.Companions, obj)
	}
}

// validate rejects a release that is unreachable, or that has no workload to tell it
// from another.
func (s *Set) validate() error {
	for _, d := range s.Workloads {
		for _, svc := range s.Services {
			if render.Selects(svc, d) {
				return nil
			}
		}
	}
	if len(s.Workloads) == 0 {
		return fault.New(fault.Invalid, "no Deployment of %s runs its image", s.Release).
			Hint("a release needs at least one Deployment; StatefulSets, DaemonSets and Jobs can only accompany it")
	}
	return fault.New(fault.Invalid, "no Service of %s selects its Deployment %s: it would be unreachable", s.Release, s.Workloads[0].GetName()).
		Hint("add a Service in the same namespace whose selector matches labels of the pod template")
}

// Held returns the workloads as they are staged: with as many new pods as surge says,
// and without taking old pods away.
func (s *Set) Held(surge func(*unstructured.Unstructured) int64) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, d := range s.Workloads {
		out = append(out, Hold(d, s.Release, surge(d)))
	}
	return out
}

// Selecting returns the Services so that they select the pods of one release; an
// empty id: those of all releases.
func (s *Set) Selecting(id delivery.ReleaseID) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, svc := range s.Services {
		out = append(out, Select(svc, id))
	}
	return out
}

// Prerequisites returns what new pods need and old ones do not notice: configuration
// (its names are those of its content), accounts, and in an empty environment
// everything that neither routes requests nor scales.
func (s *Set) Prerequisites(emptyEnvironment bool) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, o := range s.Others {
		if isPrerequisite(o) || emptyEnvironment && !affectsTraffic(o) {
			out = append(out, o)
		}
	}
	return out
}

// Unstaged returns the others that are no prerequisites: they come with the traffic.
func (s *Set) Unstaged(emptyEnvironment bool) []*unstructured.Unstructured {
	staged := s.Prerequisites(emptyEnvironment)
	return slices.DeleteFunc(slices.Clone(s.Others), func(o *unstructured.Unstructured) bool { return slices.Contains(staged, o) })
}

// WithoutJobs returns all objects but the Jobs, which the API refuses to change.
func (s *Set) WithoutJobs() []*unstructured.Unstructured {
	return slices.DeleteFunc(slices.Clone(s.All), IsJob)
}

// Key identifies an object across releases.
func Key(o *unstructured.Unstructured) string {
	gk := o.GroupVersionKind().GroupKind()
	return gk.String() + " " + o.GetNamespace() + "/" + o.GetName()
}
