package render

import (
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// effectiveDelivery returns how the model is delivered to the pods. Without a model
// image, only environment variables are set.
func effectiveDelivery(d delivery.ModelDelivery, image delivery.Image) delivery.ModelDelivery {
	switch {
	case image == delivery.Image{}:
		return delivery.DeliverByEnv
	case d == "":
		return delivery.DeliverByInit
	}
	return d
}

func (r *renderer) modelPath() string {
	switch effectiveDelivery(r.m.Delivery, r.m.ModelImage) {
	case delivery.DeliverByInit:
		return modelMount
	case delivery.DeliverByVolume:
		return imageModelPath
	}
	return ""
}

// locationVariables tell a service that loads its model itself where it is.
func locationVariables(l port.ModelLocation) map[string]string {
	vars := map[string]string{}
	for name, value := range map[string]string{
		delivery.ModelPackageVariable: l.Name, "MODEL_DATA_URL": l.URL, "MODEL_DATA_VERSION": l.Version, "MODEL_DATA_ETAG": l.ETag,
	} {
		if value != "" {
			vars[name] = value
		}
	}
	return vars
}

// Paths of a model's files. As a volume, the whole image is mounted: mounting a
// subfolder of an image requires a newer container runtime, and an older one would
// show the wrong files.
const (
	modelVolume    = "slipway-model"
	modelMount     = "/model"
	imageMount     = "/model-image"
	imageModelPath = imageMount + "/model"
	copyTarget     = "/target"
)
