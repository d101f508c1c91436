// Package render produces the Kubernetes objects of a release from files, and pins in
// them what the release consists of: image, model and configuration. It is pure: the
// same files yield the same bytes, without access to a cluster or to anything outside
// the checkout.
package render

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Limits of a release's objects. They are stored in the records and in the cluster.
const (
	maxObjectsBytes = 8 << 20 // as JSON
	maxObjects      = 2000
	maxObjectDepth  = 100 // levels of an object
)

// Render produces the objects of a release; see port.Renderer.
func Render(ctx context.Context, m port.Manifests) (port.Rendered, error) {
	r := &renderer{m: m}
	for _, step := range []func() error{
		func() error { return r.loadObjects(ctx) }, r.validate, r.pinImage, r.applyWorkload, r.injectModel, r.hashConfigNames, r.hashJobNames, r.notePorts, r.addManagedLabels, r.sortForApply,
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
			Hint("remove the values files, or name the folder with the Chart.yaml")
	}
	r.notes = append(r.notes, l.notes...)
	return nil
}

// validate drops fields that only a cluster sets, and rejects objects that cannot be
// applied under a predetermined name.
func (r *renderer) validate() error {
	locations := map[string]string{}
	for _, o := range r.objects {
		if isDeeper(o.body, maxObjectDepth) {
			return o.errorf("an object is nested more than %d levels deep", maxObjectDepth)
		}
		if err := o.validate(); err != nil {
			return err
		}
		if first, ok := locations[o.identity()]; ok {
			return fault.New(fault.Invalid, "%s is defined twice, first at %s", o.displayName(), first).Location(o.location).
				Hint("remove one of them, or change its name or namespace")
		}
		locations[o.identity()] = o.location
	}
	if len(r.objects) > maxObjects {
		return fault.New(fault.Invalid, "the manifests have %d objects, and the limit is %d", len(r.objects), maxObjects).
			Hint("apply objects that rarely change separately")
	}
	if len(r.objects) == 0 {
		return fault.New(fault.Invalid, "no objects found in the manifests").
			Hint("list files or folders with Deployments and Services under deploy.manifests, or omit it to have them generated")
	}
	return nil
}

func (r *renderer) result() (port.Rendered, error) {
	bodies := make([]map[string]any, len(r.objects))
	for i, o := range r.objects {
		bodies[i] = o.body
	}
	text, err := json.Marshal(bodies)
	if err != nil {
		return port.Rendered{}, fmt.Errorf("encode the objects: %w", err)
	}
	if len(text) > maxObjectsBytes {
		return port.Rendered{}, fault.New(fault.Invalid, "the objects are %d bytes, and the limit is %d", len(text), maxObjectsBytes).
			Hint("apply objects that rarely change, such as CRDs, separately")
	}
	return port.Rendered{Objects: string(text), Secrets: r.secrets, Notes: r.notes}, nil
}

// isDeeper reports whether a value is nested deeper than so many levels.
func isDeeper(value any, levels int) bool {
	switch v := value.(type) {
	case map[string]any:
		for _, child := range v {
			if levels == 0 || isDeeper(child, levels-1) {
				return true
			}
		}
	case []any:
		for _, child := range v {
			if levels == 0 || isDeeper(child, levels-1) {
				return true
			}
		}
	}
	return false
}
