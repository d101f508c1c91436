package render

import "github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"

// addManagedLabels labels every object with the service that it belongs to. Selectors
// are left alone: they are immutable.
func (r *renderer) addManagedLabels() error {
	for _, o := range r.objects {
		l := childMap(childMap(o.body, "metadata"), "labels")
		l[labels.ManagedBy] = labels.Manager
		if l[labels.PartOf] == nil {
			l[labels.PartOf] = r.m.Service
		}
		if len(containersOf(o.body, r.m.Image)) == 0 {
			continue
		}
		t, _ := podTemplate(o.body)
		childMap(childMap(t, "metadata"), "labels")[labels.Service] = r.m.Service
	}
	return nil
}
