package kubernetes

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
	"github.com/slipway-cd/slipway/internal/port"
)

var _ port.Exporter = (*Target)(nil)

// Export returns the release's objects as kubectl applies them, without Slipway's labels.
func (t *Target) Export(_ context.Context, o port.DeployRequest) (port.Exported, error) {
	opts := t.manifestOptions(o, t.section.Namespace)
	set, err := manifest.New(o, opts)
	if err != nil {
		return port.Exported{}, err
	}
	var out port.Exported
	var documents []string
	for _, obj := range set.All {
		if obj.GroupVersionKind().Group == "" && obj.GetKind() == "Secret" {
			out.Notes = append(out.Notes, fmt.Sprintf("Secret %s is left out: its values are not recorded. Keep the one in the cluster, or create it", obj.GetName()))
			continue
		}
		removeLabels(obj)
		documents = append(documents, manifest.YAML(obj))
	}
	if opts.Registry != "" {
		out.Notes = append(out.Notes, fmt.Sprintf("the images are in Slipway's own registry, which the nodes reach at %s: keep `slipway registry` running, or copy them to another one", strings.TrimSuffix(opts.Registry, "/")))
	}
	out.Manifests = strings.Join(documents, "---\n")
	return out, nil
}

// removeLabels removes Slipway's labels and annotations from an object and from its pod
// template.
func removeLabels(o *unstructured.Unstructured) {
	remove := func(path ...string) {
		all, found, err := unstructured.NestedStringMap(o.Object, path...)
		if err != nil || !found {
			return
		}
		for key, value := range all {
			if strings.HasPrefix(key, "slipway.dev/") || key == labels.ManagedBy && value == labels.Manager {
				delete(all, key)
			}
		}
		if len(all) == 0 {
			unstructured.RemoveNestedField(o.Object, path...)
			return
		}
		_ = unstructured.SetNestedStringMap(o.Object, all, path...) // it was there
	}
	for _, at := range [][]string{{"metadata"}, {"spec", "template", "metadata"}, {"spec", "jobTemplate", "spec", "template", "metadata"}} {
		remove(append(at, "labels")...)
		remove(append(at, "annotations")...)
	}
}
