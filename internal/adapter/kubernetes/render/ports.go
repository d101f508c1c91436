package render

import (
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// notePorts adds a note for each port of a Service that no container of the pods behind
// it declares. The API accepts that, and users get no response.
func (r *renderer) notePorts() error {
	for _, svc := range r.objects {
		if svc.groupKind() != (schema.GroupKind{Kind: "Service"}) {
			continue
		}
		for _, o := range r.objects {
			if len(containersOf(o.body, r.m.Image)) > 0 && Selects(&unstructured.Unstructured{Object: svc.body}, &unstructured.Unstructured{Object: o.body}) {
				r.notePortsOf(svc, o)
			}
		}
	}
	return nil
}

func (r *renderer) notePortsOf(svc, workload object) {
	var declared []string // names and numbers
	for _, c := range allContainers(podSpec(workload.body)) {
		for _, p := range mapItems(c["ports"]) {
			declared = append(declared, portText(p["name"]), portText(p["containerPort"]))
		}
	}
	spec, _ := svc.body["spec"].(map[string]any)
	for _, p := range mapItems(spec["ports"]) {
		target := portText(p["targetPort"])
		if target == "" {
			target = portText(p["port"])
		}
		_, notNumber := strconv.Atoi(target)
		if target == "" || slices.Contains(declared, target) || len(declared) == 0 && notNumber == nil {
			continue // whoever declares no port leaves it to the Service
		}
		declared = slices.DeleteFunc(slices.Compact(declared), func(s string) bool { return s == "" })
		r.addNote("%s leads to port %s, which no container of %s declares (declared: %s)", svc.displayName(), target, workload.displayName(), strings.Join(declared, ", "))
	}
}

// portText returns a port's name or number as text; "" for nil.
func portText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return ""
}
