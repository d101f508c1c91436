// Package rollout reads from a cluster where a service stands: which release receives
// the traffic, which one is staged, which pods there are.
package rollout

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// State is where a service stands in an environment.
type State struct {
	Traffic     delivery.ReleaseID                    // what the Services select; empty: nothing is deployed
	Services    []*unstructured.Unstructured          // live Services that select it
	Canaries    []*unstructured.Unstructured          // live Services that lead to a canary
	Deployments map[string]*unstructured.Unstructured // live ones, by name

	lastSwitch Switch
}

// Read reads the Services and Deployments.
func Read(ctx context.Context, c *client.Client, service string, env delivery.Environment) (State, error) {
	s := State{Deployments: map[string]*unstructured.Unstructured{}}
	services, err := c.List(ctx, client.Services(), labels.Selector(service, env))
	if err != nil {
		return s, err
	}
	for i := range services {
		svc := &services[i]
		switch annotations := svc.GetAnnotations(); {
		case annotations[labels.Canary] != "":
			s.Canaries = append(s.Canaries, svc)
		case annotations[labels.Fence] != "" || selectsRelease(svc):
			s.addService(svc)
		}
	}
	s.dropOldServices()
	deployments, err := c.List(ctx, client.Deployments(), labels.Selector(service, env))
	for i := range deployments {
		s.Deployments[deployments[i].GetName()] = &deployments[i]
	}
	return s, err
}

func selectsRelease(svc *unstructured.Unstructured) bool {
	_, ok, _ := unstructured.NestedString(svc.Object, "spec", "selector", labels.Release)
	return ok
}

// addService adds a Service that Slipway switches. The latest switch decides what
// receives the traffic: a Service that a release no longer has keeps the one before
// until it is removed.
func (s *State) addService(svc *unstructured.Unstructured) {
	last := SwitchOf(svc)
	if s.Traffic == "" || last.after(s.lastSwitch) {
		s.Traffic, s.lastSwitch = delivery.ReleaseID(svc.GetAnnotations()[labels.Release]), last
	}
	s.Services = append(s.Services, svc)
}

// dropOldServices keeps the Services of the release that receives the traffic.
func (s *State) dropOldServices() {
	s.Services = slices.DeleteFunc(s.Services, func(svc *unstructured.Unstructured) bool {
		return delivery.ReleaseID(svc.GetAnnotations()[labels.Release]) != s.Traffic
	})
}

// Service returns the live Service of a set's, or nil if it was not there or led
// elsewhere.
func (s State) Service(of *unstructured.Unstructured) *unstructured.Unstructured {
	for _, live := range s.Services {
		if live.GetName() == of.GetName() && live.GetNamespace() == of.GetNamespace() {
			return live
		}
	}
	return nil
}

// Staged returns the release that is held back next to the current one, or "".
func (s State) Staged() delivery.ReleaseID {
	for _, d := range s.Deployments {
		if id := manifest.HeldFor(d); id != "" {
			return id
		}
	}
	return ""
}

// Runs reports whether all workloads of the set have its release's pod template.
func (s State) Runs(set *manifest.Set) bool {
	for _, d := range set.Workloads {
		if manifest.TemplateRelease(s.Deployments[d.GetName()]) != set.Release {
			return false
		}
	}
	return true
}

// IsHeld reports whether one of the set's workloads is held.
func (s State) IsHeld(set *manifest.Set) bool {
	for _, d := range set.Workloads {
		if manifest.HeldFor(s.Deployments[d.GetName()]) != "" {
			return true
		}
	}
	return false
}

// Wanted returns how many pods the live Deployments of the release that receives the
// traffic are to have.
func (s State) Wanted() int {
	n := int64(0)
	for _, d := range s.Deployments {
		if s.Traffic != "" && manifest.TemplateRelease(d) == s.Traffic {
			n += manifest.WantedReplicas(d, d)
		}
	}
	return int(n)
}

// WantedReplicas returns how many pods a workload of a set is to have.
func (s State) WantedReplicas(d *unstructured.Unstructured) int64 {
	return manifest.WantedReplicas(s.Deployments[d.GetName()], d)
}
