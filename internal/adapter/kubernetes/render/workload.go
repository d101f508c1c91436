package render

import (
	"maps"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// applyWorkload applies the release's workload settings to the workloads that run it.
func (r *renderer) applyWorkload() error {
	scaled := r.autoscaledWorkloads()
	for _, o := range r.objects {
		containers := containersOf(o.body, r.m.Image)
		if err := r.setReplicas(o, scaled[workloadKey(o.groupKind().Kind, o.metaString("name"), o.metaString("namespace"))], len(containers) > 0); err != nil {
			return err
		}
		for _, c := range containers {
			r.setEnvironment(c)
			if len(r.m.Workload.Args) > 0 {
				c["args"] = toAnySlice(r.m.Workload.Args)
			}
			if err := r.setResources(o, c); err != nil {
				return err
			}
		}
		if len(containers) > 0 && r.m.Model != nil {
			t, _ := podTemplate(o.body)
			annotations := childMap(childMap(t, "metadata"), "annotations")
			annotations[labels.Model], annotations[labels.ModelDigest] = r.m.Model.String(), string(r.m.Model.Digest)
		}
	}
	return nil
}

// containersOf returns a workload's containers that run the image, init containers
// aside.
func containersOf(body map[string]any, img delivery.Image) []map[string]any {
	containers := allContainers(map[string]any{"containers": podSpec(body)["containers"]})
	return slices.DeleteFunc(containers, func(c map[string]any) bool {
		image, _ := c["image"].(string)
		return image == "" || !sameRepository(image, img)
	})
}

// autoscaledWorkloads returns the workloads that have an autoscaler among the
// objects.
func (r *renderer) autoscaledWorkloads() map[string]bool {
	out := map[string]bool{}
	for _, o := range r.objects {
		switch o.groupKind() {
		case schema.GroupKind{Group: "autoscaling", Kind: "HorizontalPodAutoscaler"}, schema.GroupKind{Group: "keda.sh", Kind: "ScaledObject"}:
		default:
			continue
		}
		spec, _ := o.body["spec"].(map[string]any)
		target, _ := spec["scaleTargetRef"].(map[string]any)
		kind, _ := target["kind"].(string)
		name, _ := target["name"].(string)
		if kind == "" {
			kind = "Deployment"
		}
		out[workloadKey(kind, name, o.metaString("namespace"))] = true
	}
	return out
}

func workloadKey(kind, name, namespace string) string {
	return kind + "\x00" + namespace + "\x00" + name
}

// setReplicas sets the number of replicas, or leaves it to the autoscaler, whose
// decision a fixed number would reset on every release.
func (r *renderer) setReplicas(o object, autoscaled, runsImage bool) error {
	k := o.groupKind()
	if k.Group != "apps" && k != (schema.GroupKind{Kind: "ReplicationController"}) || k.Kind == "DaemonSet" {
		return nil
	}
	spec, ok := o.body["spec"].(map[string]any)
	switch {
	case !ok:
		return nil
	case autoscaled:
		if runsImage && r.m.Workload.Replicas > 0 {
			r.addNote("replicas of %s are left to its autoscaler: the configured %d are ignored", o.displayName(), r.m.Workload.Replicas)
		}
		delete(spec, "replicas")
	case runsImage && r.m.Workload.Replicas > 0:
		spec["replicas"] = int64(r.m.Workload.Replicas)
	}
	return nil
}

// setEnvironment merges the release's variables into a container's. Those in the
// manifest keep their order, because later ones may refer to earlier ones.
func (r *renderer) setEnvironment(c map[string]any) {
	vars := maps.Clone(r.m.Workload.Env)
	if vars == nil {
		vars = map[string]string{}
	}
	if m := r.m.Model; m != nil {
		vars["MODEL_VERSION"], vars["MODEL_DIGEST"] = strconv.Itoa(m.Version), string(m.Digest)
		if path := r.modelPath(); path != "" {
			vars["MODEL_PATH"] = path
		} else {
			maps.Copy(vars, locationVariables(r.m.Location))
		}
	}
	setEnv(c, vars)
}

func setEnv(c map[string]any, vars map[string]string) {
	old, _ := c["env"].([]any)
	env := make([]any, 0, len(old)+len(vars))
	done := map[string]bool{}
	for _, e := range old {
		m, _ := e.(map[string]any)
		name, _ := m["name"].(string)
		value, overridden := vars[name]
		switch {
		case !overridden:
			env = append(env, e)
		case !done[name]:
			env = append(env, map[string]any{"name": name, "value": value})
			done[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if !done[name] {
			env = append(env, map[string]any{"name": name, "value": vars[name]})
		}
	}
	if len(env) > 0 {
		c["env"] = env
	}
}

// setResources sets limits, and requests where the manifest has none. Requests above
// the limit, which every cluster rejects, are lowered to it.
func (r *renderer) setResources(o object, c map[string]any) error {
	for _, limit := range limits(r.m.Workload) {
		res := childMap(c, "resources")
		childMap(res, "limits")[limit.name] = limit.text
		requests := childMap(res, "requests")
		request, has := requests[limit.name]
		if !has {
			requests[limit.name] = limit.text
			continue
		}
		q, err := parseQuantity(request)
		if err != nil {
			return o.errorf("requests.%s of container %s of %s is not a quantity", limit.name, c["name"], o.displayName()).Hint("use a quantity such as 500m or 512Mi")
		}
		if q.Cmp(resource.MustParse(limit.text)) > 0 {
			requests[limit.name] = limit.text
			r.addNote("requests.%s of container %s of %s is lowered to the limit of %s", limit.name, c["name"], o.displayName(), limit.text)
		}
	}
	return nil
}

type limit struct{ name, text string }

func limits(w delivery.Workload) []limit {
	var out []limit
	if w.CPU > 0 {
		milli := max(1, int64(w.CPU*1000+0.5))
		out = append(out, limit{"cpu", resource.NewMilliQuantity(milli, resource.DecimalSI).String()})
	}
	if w.Memory > 0 {
		out = append(out, limit{"memory", resource.NewQuantity(w.Memory, resource.BinarySI).String()})
	}
	return out
}

func parseQuantity(v any) (resource.Quantity, error) {
	switch v := v.(type) {
	case string:
		return resource.ParseQuantity(v)
	case int64:
		return *resource.NewQuantity(v, resource.DecimalSI), nil
	case float64:
		return resource.ParseQuantity(strconv.FormatFloat(v, 'f', -1, 64))
	}
	return resource.Quantity{}, resource.ErrFormatWrong
}

func toAnySlice(words []string) []any {
	out := make([]any, len(words))
	for i, w := range words {
		out[i] = w
	}
	return out
}
