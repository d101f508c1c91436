package history

import (
	"encoding/json"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// entry is a record as it is signed: with what it is, so that none stands for another.
type entry struct {
	Kind   string `json:"kind"`
	Record any    `json:"record"`
}

// digestOf returns the digest of a record as it will be read: times and numbers lose what
// JSON does not keep.
func digestOf[T any](kind string, record T) (delivery.Digest, error) {
	raw, err := json.Marshal(record)
	if err == nil {
		var read T
		if err = json.Unmarshal(raw, &read); err == nil {
			raw, err = json.Marshal(entry{kind, read})
		}
	}
	if err != nil {
		return "", fmt.Errorf("encode a record of the history: %w", err)
	}
	return delivery.DigestOf(raw), nil
}

func deploymentDigest(d delivery.Deployment) (delivery.Digest, error) {
	d.Unsigned = false
	return digestOf("deployment", d)
}

// releaseDigest is that of everything that a release's record holds: image, model,
// objects, and how it was made.
func releaseDigest(r delivery.ReleaseRecord) (delivery.Digest, error) {
	r.Unsigned, r.Quarantined = false, nil
	return digestOf("release", delivery.ReleaseDocument(r))
}

func quarantineDigest(q delivery.Quarantine) (delivery.Digest, error) {
	q.Unsigned = false
	return digestOf("quarantine", q)
}

func modelDigest(m delivery.ModelVersion) (delivery.Digest, error) {
	m.Unsigned = false
	return digestOf("model", delivery.ModelDocument(m))
}

// mark marks every record of a history that is not among the trusted ones.
func mark(h *port.History, trusted map[delivery.Digest]bool) error {
	return eachRecord(h, func(d delivery.Digest, unsigned *bool) { *unsigned = !trusted[d] })
}

// vouched lists the digests of the records that are not marked.
func vouched(h *port.History) (records []delivery.Digest, err error) {
	err = eachRecord(h, func(d delivery.Digest, unsigned *bool) {
		if !*unsigned {
			records = append(records, d)
		}
	})
	return records, err
}

// eachRecord calls do with the digest and the mark of every record.
func eachRecord(h *port.History, do func(delivery.Digest, *bool)) error {
	visit := func(d delivery.Digest, err error, unsigned *bool) error {
		if err == nil {
			do(d, unsigned)
		}
		return err
	}
	for i := range h.Deployments {
		d, err := deploymentDigest(h.Deployments[i])
		if err := visit(d, err, &h.Deployments[i].Unsigned); err != nil {
			return err
		}
	}
	for i := range h.Models {
		d, err := modelDigest(h.Models[i])
		if err := visit(d, err, &h.Models[i].Unsigned); err != nil {
			return err
		}
	}
	for i := range h.Releases {
		r := &h.Releases[i]
		d, err := releaseDigest(*r)
		if err := visit(d, err, &r.Unsigned); err != nil {
			return err
		}
		if r.Quarantined == nil {
			continue
		}
		d, err = quarantineDigest(*r.Quarantined)
		if err := visit(d, err, &r.Quarantined.Unsigned); err != nil {
			return err
		}
	}
	return nil
}
