package ocilayout

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// What an image of ours states about itself, as labels and annotations. Neither a
// commit nor a time is among it: the same content has the same digest, whichever
// commit it comes from.
const (
	TitleLabel     = "org.opencontainers.image.title"
	BuiltFromLabel = "dev.slipway.built-from" // a digest, see BuiltFrom
)

// CreationTime is the time that images, and what they were made of, bear.
func CreationTime() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

// BuiltFrom returns the digest of what went into an image: the builder's
// parameters, which are written as JSON, and its parts from the base upwards.
func BuiltFrom(params any, parts ...delivery.Digest) (delivery.Digest, error) {
	raw, err := json.Marshal(struct {
		Params any               `json:"params"`
		Parts  []delivery.Digest `json:"parts"`
	}{params, parts})
	if err != nil {
		return "", fmt.Errorf("digest what the image was built from: %w", err)
	}
	return delivery.DigestOf(raw), nil
}

// OriginLabels returns the labels and annotations of an image.
func OriginLabels(service string, builtFrom delivery.Digest) map[string]string {
	return map[string]string{TitleLabel: service, BuiltFromLabel: string(builtFrom)}
}
