package render

import (
	"encoding/base64"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "sigs.k8s.io/json"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Stamp is what a release's objects get when they are applied. It depends on the
// environment and the time, so it is not part of any record.
type Stamp struct {
	Service        string
	Environment    delivery.Environment
	Release        delivery.ReleaseID
	Image          delivery.Image
	RegistryPrefix string        // "127.0.0.1:5000/" goes before images of the embedded registry; empty: they are pulled by their own name
	Secrets        []port.Secret // by object name; those without an entry stay empty
	// PreStopSeconds is how long the service's containers keep serving after their
	// pod is marked for termination, unless they have a preStop hook: requests may
	// still be in flight to them. 0 adds no hook.
	PreStopSeconds int64
}

// Parse decodes Rendered.Objects. Anything that Render did not write is
// fault.Corrupt.
func Parse(objects string) ([]*unstructured.Unstructured, error) {
	var list []any
	duplicates, err := kjson.UnmarshalStrict([]byte(objects), &list)
	if err != nil || len(duplicates) > 0 {
		return nil, corruptError("is not an array of objects")
	}
	out := make([]*unstructured.Unstructured, len(list))
	for i, v := range list {
		body, ok := v.(map[string]any)
		o := object{body: body}
		if !ok || o.stringField("apiVersion") == "" || o.stringField("kind") == "" || o.metaString("name") == "" {
			return nil, corruptError("has an object without a name")
		}
		out[i] = &unstructured.Unstructured{Object: body}
	}
	return out, nil
}

func corruptError(problem string) error {
	return fault.New(fault.Corrupt, "read the release's objects: the text %s", problem).
		Hint("the record was modified: deliver the commit again")
}

// Apply returns stamped copies of the objects.
func (s Stamp) Apply(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	out := make([]*unstructured.Unstructured, len(objects))
	for i, o := range objects {
		c := o.DeepCopy()
		s.addIdentity(c.Object)
		s.fillSecret(c)
		s.stampPods(c)
		out[i] = c
	}
	return out
}

func (s Stamp) addIdentity(body map[string]any) {
	meta := childMap(body, "metadata")
	l := childMap(meta, "labels")
	l[labels.Service], l[labels.Environment] = s.Service, string(s.Environment)
	childMap(meta, "annotations")[labels.Release] = string(s.Release)
}

func (s Stamp) fillSecret(o *unstructured.Unstructured) {
	if o.GroupVersionKind().Group != "" || o.GetKind() != "Secret" {
		return
	}
	for _, secret := range s.Secrets {
		if secret.Name != o.GetName() || len(secret.Data) == 0 {
			continue
		}
		data := map[string]any{}
		for k, v := range secret.Data {
			data[k] = base64.StdEncoding.EncodeToString(v)
		}
		o.Object["data"] = data
	}
}

// stampPods stamps the pod template and rewrites image references to what nodes pull.
// The service's containers are identified before the rewrite.
func (s Stamp) stampPods(o *unstructured.Unstructured) {
	for _, c := range containersOf(o.Object, s.Image) {
		setEnv(c, map[string]string{"SLIPWAY_RELEASE": string(s.Release), "SLIPWAY_ENVIRONMENT": string(s.Environment)})
	}
	// Pods of Jobs are none of the release's: no Service may select them, and nothing
	// waits for them to be ready.
	if RunsImage(o, s.Image) && o.GroupVersionKind().Group != "batch" {
		s.addPreStop(o)
		t, _ := podTemplate(o.Object)
		childMap(childMap(t, "metadata"), "labels")[labels.Release] = string(s.Release)
	}
	spec := podSpec(o.Object)
	for _, c := range allContainers(spec) {
		s.prefixImage(c, "image")
	}
	for _, v := range mapItems(spec["volumes"]) {
		if image, ok := v["image"].(map[string]any); ok {
			s.prefixImage(image, "reference")
		}
	}
}

// minGraceAfterPreStop is the minimum time in seconds that a container has to shut
// down after the preStop hook.
const minGraceAfterPreStop = 10

// addPreStop adds a preStop sleep, so that the kubelet delays SIGTERM. Existing
// preStop hooks are kept.
func (s Stamp) addPreStop(o *unstructured.Unstructured) {
	spec := podSpec(o.Object)
	if s.PreStopSeconds <= 0 {
		return
	}
	for _, c := range mapItems(spec["containers"]) {
		lifecycle, _ := c["lifecycle"].(map[string]any)
		if image, _ := c["image"].(string); !sameRepository(image, s.Image) || lifecycle["preStop"] != nil {
			continue
		}
		childMap(c, "lifecycle")["preStop"] = map[string]any{"sleep": map[string]any{"seconds": s.PreStopSeconds}}
	}
	if grace, ok := spec["terminationGracePeriodSeconds"].(int64); ok && grace < s.PreStopSeconds+minGraceAfterPreStop {
		spec["terminationGracePeriodSeconds"] = grace + s.PreStopSeconds
	}
}

// prefixImage prepends the registry to images of the release's repository, which
// holds the service's and the model's image.
func (s Stamp) prefixImage(parent map[string]any, field string) {
	image, _ := parent[field].(string)
	if strings.HasPrefix(image, s.Image.Repository+"@") {
		parent[field] = s.RegistryPrefix + image
	}
}

func deepCopy(m map[string]any) map[string]any { return runtime.DeepCopyJSON(m) }
