package step

import (
	"encoding/json"
	"fmt"
	"strings"

	jsoncanonicalizer "github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// keyVersion is increased when results that earlier versions cached can't be used
// any more.
const keyVersion = 1

// KeyIn returns the key under which runs of a trust class find a result.
func KeyIn(c delivery.TrustClass, key delivery.Digest) delivery.Digest {
	if c == delivery.Trusted {
		return key
	}
	return delivery.DigestOf([]byte(string(c) + " " + string(key)))
}

// CacheKey is the digest of everything that the step's result depends on: its
// kind, parameters (all but those in Unkeyed) and inputs, the tools that it uses (fingerprint, may be
// empty), and the outputs that it reads: those of the steps in Reads, or else in
// Needs. Planning and running call it with the same arguments and get the same
// key. The other outputs do not count.
func CacheKey(s Spec, fingerprint string, given map[string]json.RawMessage) (delivery.Digest, error) {
	reads := s.Reads
	if reads == nil {
		reads = s.Needs
	}
	needs := make(map[string]json.RawMessage, len(reads))
	for _, name := range reads {
		needs[name] = given[name]
	}
	params := s.Params
	for _, path := range s.Unkeyed {
		params = without(params, strings.Split(path, "."))
	}
	plain, err := json.Marshal(struct {
		Version     int                        `json:"version"`
		Kind        Kind                       `json:"kind"`
		With        json.RawMessage            `json:"with"`
		Inputs      delivery.Digest            `json:"inputs"`
		Fingerprint string                     `json:"fingerprint"`
		Needs       map[string]json.RawMessage `json:"needs"`
	}{keyVersion, s.Kind, params, s.Inputs, fingerprint, needs})
	if err != nil {
		return "", fmt.Errorf("compute the cache key of step %s: %w", s.Name, err)
	}
	canonical, err := jsoncanonicalizer.Transform(plain)
	if err != nil {
		return "", fmt.Errorf("compute the cache key of step %s: %w", s.Name, err)
	}
	return delivery.DigestOf(canonical), nil
}

// without returns a JSON document without the member at the path. A document that has
// none is returned as it is.
func without(document json.RawMessage, path []string) json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(document, &members) != nil || members[path[0]] == nil {
		return document
	}
	if len(path) == 1 {
		delete(members, path[0])
	} else {
		members[path[0]] = without(members[path[0]], path[1:])
	}
	less, err := json.Marshal(members)
	if err != nil {
		return document
	}
	return less
}
