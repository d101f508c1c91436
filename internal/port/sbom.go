package port

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// The media types of software bills of materials.
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

// SBOMs are the software bill of materials of an image or a model, in both
// formats.
type SBOMs struct {
	CycloneDX Document `json:"cyclonedx"`
	SPDX      Document `json:"spdx"`
}

// ImageSBOMRequest names the image to describe.
type ImageSBOMRequest struct {
	Layout string         // absolute folder: the OCI layout that holds the image
	Image  delivery.Image // its manifest's digest, and its name in the documents
	Dir    string         // absolute folder to write to, for this image alone; what is stored there is used again
}

// ModelSBOMRequest names the model to describe.
type ModelSBOMRequest struct {
	Files string            // absolute folder with the model's files
	Model delivery.ModelRef // its name in the documents; version 0: not registered yet
	Data  delivery.Digest   // training data, if known
	Dir   string            // absolute folder to write to, for this model alone
}

// SBOMGenerator writes software bills of materials: CycloneDX JSON as
// bom.cdx.json and SPDX JSON as bom.spdx.json.
//
// The documents depend on what they describe and on the generator's version, and
// on nothing else: not on the time, on random names or on paths of this machine.
// The same image or files give the same bytes. Both files are written, whole, or
// there is an error. No network is used. Safe for concurrent use, with a folder
// for each call.
type SBOMGenerator interface {
	// ImageSBOM lists the packages of all layers, and the files that belong to
	// them. For an image without any known package the lists are empty.
	ImageSBOM(ctx context.Context, req ImageSBOMRequest) (SBOMs, error)
	// ModelSBOM lists the regular files below req.Files, with their digests, as
	// one machine-learning model.
	ModelSBOM(ctx context.Context, req ModelSBOMRequest) (SBOMs, error)
}
