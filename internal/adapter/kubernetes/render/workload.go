package render

import (
	"maps"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// workloads puts what the release says about running into the workloads that run it.
func (r *rendering) workloads() error {
	scaled := r.scaled()
	for _, o := range r.objects {
		ours := runningIn(o.body, r.m.Image)
		if err := r.replicas(o, scaled[workloadKey(o.kind().Kind, o.meta("name"), o.meta("namespace"))], len(ours) > 0); err != nil {
			return err
		}
		for _, c := range ours {
			r.environment(c)
			if len(r.m.Workload.Args) > 0 {
				c["args"] = texts(r.m.Workload.Args)
			}
			if err := r.resources(o, c); err != nil {
				return err
			}
		}
		if len(ours) > 0 && r.m.Model != nil {
			t, _ := template(o.body)
			notes := child(child(t, "metadata"), "annotations")
			notes[annotationModel], notes[annotationModelDigest] = r.m.Model.String(), string(r.m.Model.Digest)
		}
	}
	return nil
}

// runningIn are a workload's containers that run the image, init containers aside.
func runningIn(body map[string]any, img delivery.Image) []map[string]any {
	containers := everyContainer(map[string]any{"containers": podSpec(body)["containers"]})
	return slices.DeleteFunc(containers, func(c map[string]any) bool {
		image, _ := c["image"].(string)
		return image == "" || !runs(image, img)
	})
}

// scaled are the workloads that an autoscaler of the set looks after.
func (r *rendering) scaled() map[string]bool {
	out := map[string]bool{}
	for _, o := range r.objects {
		switch o.kind() {
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
		out[workloadKey(kind, name, o.meta("namespace"))] = true
	}
	return out
}

func workloadKey(kind, name, namespace string) string {
	return kind + "\x00" + namespace + "\x00" + name
}

// replicas sets how many there are, or leaves it to the autoscaler: a number in
// the object would set back on every release what it has found out.
func (r *rendering) replicas(o object, scaled, ours bool) error {
	k := o.kind()
	if k.Group != "apps" && k != (schema.GroupKind{Kind: "ReplicationController"}) || k.Kind == "DaemonSet" {
		return nil
	}
	spec, ok := o.body["spec"].(map[string]any)
	switch {
	case !ok:
		return nil
	case scaled:
		if ours && r.m.Workload.Replicas > 0 {
			r.note("replicas of %s are left to its autoscaler: the %d that are configured do not count", o.title(), r.m.Workload.Replicas)
		}
		delete(spec, "replicas")
	case ours && r.m.Workload.Replicas > 0:
		spec["replicas"] = int64(r.m.Workload.Replicas)
	}
	return nil
}

// environment merges the release's variables into a container's: the file's keep
// their order, because later ones may refer to earlier ones.
func (r *rendering) environment(c map[string]any) {
	vars := maps.Clone(r.m.Workload.Env)
	if vars == nil {
		vars = map[string]string{}
	}
	if m := r.m.Model; m != nil {
		vars["MODEL_VERSION"], vars["MODEL_DIGEST"] = strconv.Itoa(m.Version), string(m.Digest)
		if at := r.modelPath(); at != "" {
			vars["MODEL_PATH"] = at
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
		value, ours := vars[name]
		switch {
		case !ours:
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

// resources sets the limits, and requests where the file has none. A request
// above the limit would be refused by every cluster, so it goes down with it.
func (r *rendering) resources(o object, c map[string]any) error {
	for _, limit := range limits(r.m.Workload) {
		res := child(c, "resources")
		child(res, "limits")[limit.name] = limit.text
		requests := child(res, "requests")
		asked, has := requests[limit.name]
		if !has {
			requests[limit.name] = limit.text
			continue
		}
		q, err := quantity(asked)
		if err != nil {
			return o.wrong("requests.%s of container %s of %s is not a quantity", limit.name, c["name"], o.title()).Hint("write it like 500m or 512Mi")
		}
		if q.Cmp(resource.MustParse(limit.text)) > 0 {
			requests[limit.name] = limit.text
			r.note("requests.%s of container %s of %s is lowered to the limit of %s", limit.name, c["name"], o.title(), limit.text)
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

func quantity(v any) (resource.Quantity, error) {
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

func texts(words []string) []any {
	out := make([]any, len(words))
	for i, w := range words {
		out[i] = w
	}
	return out
}
