package render

import "github.com/slipway-cd/slipway/internal/delivery"

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
