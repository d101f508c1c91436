package render

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func groupKindOf(body map[string]any) schema.GroupKind {
	version, _ := body["apiVersion"].(string)
	kind, _ := body["kind"].(string)
	gv, err := schema.ParseGroupVersion(version)
	if err != nil {
		return schema.GroupKind{Group: version, Kind: kind}
	}
	return schema.GroupKind{Group: gv.Group, Kind: kind}
}

// podTemplatePath returns the path of a kind's pod template; ok is false for kinds
// that run no pods. A Pod is its own template.
func podTemplatePath(k schema.GroupKind) (path []string, ok bool) {
	switch k {
	case schema.GroupKind{Kind: "Pod"}:
		return nil, true
	case schema.GroupKind{Group: "apps", Kind: "Deployment"}, schema.GroupKind{Group: "apps", Kind: "StatefulSet"},
		schema.GroupKind{Group: "apps", Kind: "DaemonSet"}, schema.GroupKind{Group: "apps", Kind: "ReplicaSet"},
		schema.GroupKind{Group: "batch", Kind: "Job"}, schema.GroupKind{Kind: "ReplicationController"}:
		return []string{"spec", "template"}, true
	case schema.GroupKind{Group: "batch", Kind: "CronJob"}:
		return []string{"spec", "jobTemplate", "spec", "template"}, true
	}
	return nil, false
}

// podTemplate returns the map with metadata and spec of a workload's pods. It is not
// a copy.
func podTemplate(body map[string]any) (map[string]any, bool) {
	path, ok := podTemplatePath(groupKindOf(body))
	if !ok {
		return nil, false
	}
	for _, field := range path {
		if body, ok = body[field].(map[string]any); !ok {
			return nil, false
		}
	}
	return body, true
}

// podSpec returns the pod spec of a workload, or nil.
func podSpec(body map[string]any) map[string]any {
	t, _ := podTemplate(body)
	spec, _ := t["spec"].(map[string]any)
	return spec
}

// mapItems returns the items of a list that are maps.
func mapItems(v any) []map[string]any {
	l, _ := v.([]any)
	out := make([]map[string]any, 0, len(l))
	for _, e := range l {
		if m, ok := e.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

func allContainers(spec map[string]any) []map[string]any {
	var out []map[string]any
	for _, field := range []string{"containers", "initContainers", "ephemeralContainers"} {
		out = append(out, mapItems(spec[field])...)
	}
	return out
}

// childMap returns the map under a key, which is created if missing.
func childMap(m map[string]any, key string) map[string]any {
	if c, ok := m[key].(map[string]any); ok {
		return c
	}
	c := map[string]any{}
	m[key] = c
	return c
}

// appendTo appends to the list under a key.
func appendTo(m map[string]any, key string, values ...any) {
	l, _ := m[key].([]any)
	m[key] = append(l[:len(l):len(l)], values...)
}
