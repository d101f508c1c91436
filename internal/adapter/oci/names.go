package oci

import (
	"github.com/slipway-cd/slipway/internal/adapter/oci/repository"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// modelsPrefix begins the repositories in which models are kept.
const modelsPrefix = "models/"

func validateImage(img delivery.Image) error {
	if !img.Digest.Valid() {
		return fault.New(fault.Invalid, "invalid image digest %q", img.Digest).Hint("want sha256: and 64 hexadecimal digits")
	}
	_, err := repository.Parse(img.Repository)
	return err
}

// modelRepository returns the repository in which the files of a group's versions are kept.
func modelRepository(group string) (string, error) {
	if n, err := repository.Parse(modelsPrefix + group); err != nil || n.Host != "" {
		return "", fault.New(fault.Invalid, "invalid model group %q", group).
			Hint("use lower-case letters, digits and single . _ - between them: price-models")
	}
	return modelsPrefix + group, nil
}
