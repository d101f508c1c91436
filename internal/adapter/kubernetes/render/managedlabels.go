package render

// Labels and annotations of ours.
const (
	labelManagedBy   = "app.kubernetes.io/managed-by"
	labelPartOf      = "app.kubernetes.io/part-of"
	labelName        = "app.kubernetes.io/name"
	labelService     = "slipway.dev/service"
	labelEnvironment = "slipway.dev/environment"
	labelRelease     = "slipway.dev/release"

	annotationRelease     = "slipway.dev/release"
	annotationModel       = "slipway.dev/model"
	annotationModelDigest = "slipway.dev/model-digest"
	annotationKeepName    = "slipway.dev/keep-name"
	annotationKeys        = "slipway.dev/keys"
)

// addManagedLabels labels every object with the service that it belongs to. Selectors
// are left alone: they are immutable.
func (r *renderer) addManagedLabels() error {
	for _, o := range r.objects {
		labels := childMap(childMap(o.body, "metadata"), "labels")
		labels[labelManagedBy] = "slipway"
		if labels[labelPartOf] == nil {
			labels[labelPartOf] = r.m.Service
		}
		if len(containersOf(o.body, r.m.Image)) == 0 {
			continue
		}
		t, _ := podTemplate(o.body)
		childMap(childMap(t, "metadata"), "labels")[labelService] = r.m.Service
	}
	return nil
}
