// Package render makes a release's Kubernetes objects from files, and pins into
// them what the release consists of: the image, the model, the configuration.
// It is pure: the same files give the same bytes, no cluster is asked, and
// nothing outside of the checkout is read.
package render

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// maxObjectsBytes is how large a release's objects may be, as text. It goes into the
// records and into the cluster.
const maxObjectsBytes = 8 << 20

// Render makes a release's objects; see port.Renderer.
func Render(ctx context.Context, m port.Manifests) (port.Rendered, error) {
	r := &renderer{m: m}
	for _, step := range []func() error{
		func() error { return r.loadObjects(ctx) }, r.validate, r.pinImage, r.applyWorkload, r.injectModel, r.hashConfigNames, r.addManagedLabels, r.sortForApply,
	} {
		if err := ctx.Err(); err != nil {
			return port.Rendered{}, fmt.Errorf("render the manifests: %w", err)
		}
		if err := step(); err != nil {
			return port.Rendered{}, err
		}
	}
	return r.result()
}

// object is one Kubernetes object and where it stands: "k8s/api.yaml:12".
type object struct {
	body     map[string]any
	location string
}

// renderer is the set of objects on its way through the steps.
type renderer struct {
	m       port.Manifests
	objects []object
	notes   []string
	secrets []port.Secret
}

func (r *renderer) loadObjects(ctx context.Context) error {
	if len(r.m.Paths) == 0 {
		r.objects = defaultObjects(r.m)
		return nil
	}
	t, err := openSource(r.m.Dir)
	if err != nil {
		return err
	}
	defer t.root.Close()
	l := loader{source: t, service: r.m.Service, values: r.m.Values}
	for _, p := range r.m.Paths {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read the manifests: %w", err)
		}
		found, err := l.load(p)
		if err != nil {
			return err
		}
		r.objects = append(r.objects, found...)
	}
	if len(r.m.Values) > 0 && !l.sawChart {
		return fault.New(fault.Invalid, "values files are given, but none of the manifests is a Helm chart").
			Hint("remove the values, or name the folder that has the Chart.yaml")
	}
	r.notes = append(r.notes, l.notes...)
	return nil
}

// validate drops what a cluster writes into objects, and refuses those that can't
// be applied under a name that is known beforehand.
func (r *renderer) validate() error {
	locations := map[string]string{}
	for _, o := range r.objects {
		if err := o.validate(); err != nil {
			return err
		}
		if first, ok := locations[o.identity()]; ok {
			return fault.New(fault.Invalid, "%s is there twice, first at %s", o.displayName(), first).Location(o.location).
				Hint("remove one of the two, or give it another name or namespace")
		}
		locations[o.identity()] = o.location
	}
	if len(r.objects) == 0 {
		return fault.New(fault.Invalid, "there is no object in the manifests").
			Hint("name files or folders with Deployments and Services under deploy.manifests, or leave it out to have them made")
	}
	return nil
}

func (r *renderer) addNote(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(r.notes, n) {
		r.notes = append(r.notes, n)
	}
}

func (r *renderer) result() (port.Rendered, error) {
	bodies := make([]map[string]any, len(r.objects))
	for i, o := range r.objects {
		bodies[i] = o.body
	}
	text, err := json.Marshal(bodies)
	if err != nil {
		return port.Rendered{}, fmt.Errorf("write the objects: %w", err)
	}
	if len(text) > maxObjectsBytes {
		return port.Rendered{}, fault.New(fault.Invalid, "the objects are %d bytes, and %d are possible", len(text), maxObjectsBytes).
			Hint("apply what changes seldom, like CRDs, on its own")
	}
	return port.Rendered{Objects: string(text), Secrets: r.secrets, Notes: r.notes}, nil
}
