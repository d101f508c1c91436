package config

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
)

const (
	datasetPattern = `^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^\s?#\\]*$`
	// maxDatasetURI has a bucket's name of 63 bytes, and S3's limit of 1024 for a key.
	maxDatasetURI = 1100
)

// IsDataset reports whether an entry of model.data is in a store of objects.
func IsDataset(text string) bool { return strings.HasPrefix(text, "s3://") }

// validateData expands the entries.
func (d *decoder) validateData(m *Model, env func(string) (string, bool)) {
	for i, text := range m.Data {
		at := fmt.Sprintf("model.data[%d]", i)
		full, err := extension.Expand(text, env)
		switch {
		case err != nil:
			d.addError(at, "set the variable, or give it a default: ${NAME:-data.csv}", "%s: %v", at, err)
		case strings.TrimSpace(full) == "":
			d.addError(at, "name a file or folder", "%s is empty", at)
		case strings.Contains(full, "://"):
			d.validateDataset(at, full)
		}
		m.Data[i] = full
	}
}

// DataLocation is where entries of model.data in a store are: of the project, whichever
// environment trains with them.
func (p Project) DataLocation() (delivery.Location, error) {
	return delivery.NewLocation(extension.AWS{Account: p.AWS.Account, Region: p.AWS.Region})
}

func (d *decoder) validateDataset(at, uri string) {
	key := strings.TrimPrefix(uri, "s3://")
	switch {
	case len(uri) > maxDatasetURI || !regexp.MustCompile(datasetPattern).MatchString(uri) || path.Clean("/"+key) != "/"+strings.TrimSuffix(key, "/"):
		d.addError(at, "an object as s3://bucket/key, or all below a prefix as s3://bucket/prefix/", "%s: invalid value %q", at, uri)
	case d.project.AWS.Region == "":
		d.addError(at, "add aws: {region: ...}", "%s: the region of AWS is not set", at)
	}
}
