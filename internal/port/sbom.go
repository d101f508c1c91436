package port

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// The media types of bills of materials.
const (
	CycloneDXType = "application/vnd.cyclonedx+json"
	SPDXType      = "application/spdx+json"
)

// Document is a file and its digest.
type Document struct {
	Type   string          `json:"type"`   // media type
	Path   string          `json:"path"`   // absolute
	Digest delivery.Digest `json:"digest"` // of the file's bytes
	Size   int64           `json:"size"`   // bytes
}

// SBOMs are what something is made of, in both forms.
type SBOMs struct {
	CycloneDX Document `json:"cyclonedx"`
	SPDX      Document `json:"spdx"`
}

// ImageSBOMRequest asks for the bills of an image.
type ImageSBOMRequest struct {
	Layout string         // absolute folder: the OCI layout that holds the image
	Image  delivery.Image // its manifest's digest, and what it is called in the documents
	Dir    string         // absolute folder to write to, for this image alone; what is kept there is used again
}

// ModelSBOMRequest asks for the bills of a model.
type ModelSBOMRequest struct {
	Files string            // absolute folder with the model's files
	Model delivery.ModelRef // what it is called in the documents; a version of 0 has no number yet
	Data  delivery.Digest   // what it was trained on, if that is known
	Dir   string            // absolute folder to write to, for this model alone
}

// SBOMGenerator writes bills of materials (SBOMs): CycloneDXPredicate JSON as bom.cdx.json and
// SPDXPredicate JSON as bom.spdx.json.
//
// The documents depend on what they describe and on the version of the biller,
// and on nothing else: no time of now, no random name, no path of this machine.
// The same image or files give the same bytes. Both files are there, whole, or
// there is an error. Nothing is asked on the network. Safe for concurrent use,
// with a folder for each.
type SBOMGenerator interface {
	// ImageSBOM lists the packages of all layers, and files that belong to them. An
	// image in which no package is recognised has a bill that lists none.
	ImageSBOM(ctx context.Context, b ImageSBOMRequest) (SBOMs, error)
	// ModelSBOM lists the regular files below b.Files, with their digests, as one
	// machine-learning model.
	ModelSBOM(ctx context.Context, b ModelSBOMRequest) (SBOMs, error)
}
