package step

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	jsoncanonicalizer "github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// keyVersion changes when results that older versions cached can't be used any
// more, whatever their inputs say.
const keyVersion = 1

// CacheKey names everything that the step's result depends on: what it does, its
// inputs, the tools it uses (fingerprint, may be empty) and what the steps that it
// reads (of those it needs; all unless Reads says which) gave. Planning and running ask with the same arguments and get the same
// key. given may hold more than the step's needs; the rest does not count.
func CacheKey(s Spec, fingerprint string, given map[string]json.RawMessage) (delivery.Digest, error) {
	reads := s.Reads
	if reads == nil {
		reads = s.Needs
	}
	needs := make(map[string]json.RawMessage, len(reads))
	for _, name := range reads {
		needs[name] = given[name]
	}
	plain, err := json.Marshal(struct {
		Version     int                        `json:"version"`
		Kind        Kind                       `json:"kind"`
		With        json.RawMessage            `json:"with"`
		Inputs      delivery.Digest            `json:"inputs"`
		Fingerprint string                     `json:"fingerprint"`
		Needs       map[string]json.RawMessage `json:"needs"`
	}{keyVersion, s.Kind, s.Params, s.Inputs, fingerprint, needs})
	if err != nil {
		return "", fmt.Errorf("compute the cache key of step %s: %w", s.Name, err)
	}
	canonical, err := jsoncanonicalizer.Transform(plain)
	if err != nil {
		return "", fmt.Errorf("compute the cache key of step %s: %w", s.Name, err)
	}
	sum := sha256.Sum256(canonical)
	return delivery.Digest("sha256:" + hex.EncodeToString(sum[:])), nil
}
