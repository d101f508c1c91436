// Package history keeps an environment's history in ConfigMaps next to what is
// deployed: one with the deployments, and one or more for each release, which never
// change. They hold no values of Secrets.
package history

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

const historyKey = "history.json"

// document is the content of the history's ConfigMap.
type document struct {
	Deployments []delivery.Deployment    `json:"deployments"`
	Quarantined []delivery.Quarantine    `json:"quarantined,omitempty"`
	Models      []delivery.ModelDocument `json:"models,omitempty"`
	Seals       []seal                   `json:"seals,omitempty"`
	Unknown     delivery.Unknown         `json:"-"`
}

// MarshalJSON writes the unknown fields, too.
func (d document) MarshalJSON() ([]byte, error) {
	type plain document
	return delivery.MarshalDocument(plain(d), d.Unknown)
}

// UnmarshalJSON keeps the unknown fields.
func (d *document) UnmarshalJSON(raw []byte) (err error) {
	type plain document
	d.Unknown, err = delivery.UnmarshalDocument(raw, (*plain)(d))
	return err
}

// Save replaces the history, and vouches for what is not marked as unsigned. It refuses
// with fault.Conflict what does not continue the history in the cluster.
func Save(ctx context.Context, c *client.Client, k *Keyring, h port.History) error {
	before, old, err := load(ctx, c, k)
	if err != nil {
		return err
	}
	if err := checkContinues(before, h); err != nil {
		return err
	}
	next, err := saveReleases(ctx, c, before, h)
	if err != nil {
		return err
	}
	doc := newDocument(next, old)
	records, err := vouched(&next)
	if err != nil {
		return err
	}
	if doc.Seals, err = k.seal(ctx, c, records); err != nil {
		return err
	}
	if err := saveDocument(ctx, c, h, doc); err != nil {
		return err
	}
	for _, r := range before.Releases {
		if indexOf(h.Releases, r.ID) < 0 { // no deployment names it any more
			if err := deleteRelease(ctx, c, h.Service, h.Environment, r.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

func indexOf(releases []delivery.ReleaseRecord, id delivery.ReleaseID) int {
	return slices.IndexFunc(releases, func(r delivery.ReleaseRecord) bool { return r.ID == id })
}

// saveReleases writes the releases that the cluster lacks, and returns the history with
// its releases as they are stored. One that is stored stays as it is, unless we vouch for
// ours and not for what is stored.
func saveReleases(ctx context.Context, c *client.Client, before, h port.History) (port.History, error) {
	h.Releases = slices.Clone(h.Releases)
	for i, r := range h.Releases {
		if n := indexOf(before.Releases, r.ID); n >= 0 {
			stored := before.Releases[n]
			stored.Quarantined = r.Quarantined
			if held := before.Releases[n].Quarantined; r.Unsigned && r.Quarantined == nil && held != nil && held.Unsigned {
				stored.Quarantined = held // it waits for a person
			}
			if r.Unsigned || !stored.Unsigned || sameRelease(r, stored) {
				stored.Unsigned = stored.Unsigned && r.Unsigned
				h.Releases[i] = stored
				continue
			}
			if err := deleteRelease(ctx, c, h.Service, h.Environment, r.ID); err != nil {
				return h, err
			}
		}
		if err := saveRelease(ctx, c, h, r); err != nil {
			return h, err
		}
	}
	return h, nil
}

// sameRelease reports whether two records say the same, beside their quarantines.
func sameRelease(a, b delivery.ReleaseRecord) bool {
	x, errX := releaseDigest(a)
	y, errY := releaseDigest(b)
	return errX == nil && errY == nil && x == y
}

// newDocument returns the document of a history, with the fields of a newer program.
func newDocument(h port.History, old document) document {
	doc := document{Deployments: h.Deployments, Unknown: old.Unknown}
	for _, m := range h.Models {
		doc.Models = append(doc.Models, delivery.ModelDocument(m))
	}
	for _, r := range h.Releases {
		if r.Quarantined != nil {
			doc.Quarantined = append(doc.Quarantined, *r.Quarantined)
		}
	}
	return doc
}

// checkContinues rejects a history without the current deployment of the cluster's:
// another Slipway has deployed since. Unsigned records prove nothing about that.
func checkContinues(before, h port.History) error {
	for _, current := range before.Deployments {
		if current.State != delivery.Serving || current.Unsigned {
			continue
		}
		for _, d := range h.Deployments {
			if d.Run == current.Run && d.Release == current.Release || !d.ServingAt.Before(current.ServingAt) && d.State == delivery.Serving {
				return nil
			}
		}
		return fault.New(fault.Conflict, "run %s by %s deployed %s to %s, and the local records do not include it", current.Run, current.By, current.Release, h.Environment).
			Hint("start the run again: it reads the cluster's history first")
	}
	return nil
}

func saveDocument(ctx context.Context, c *client.Client, h port.History, doc document) error {
	raw, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("encode the history: %w", err)
	}
	o := newConfigMap(labels.ObjectName(h.Service, h.Environment), historyRecord, h)
	o.Object["data"] = map[string]any{historyKey: string(raw)}
	_, err = c.Apply(ctx, o, client.ApplyOptions{Force: true})
	return err
}

// Load returns the history; it is empty if there is none. Records that no trusted key
// vouches for are marked as unsigned. A record that can't be read is fault.Corrupt.
func Load(ctx context.Context, c *client.Client, k *Keyring) (port.History, error) {
	h, _, err := load(ctx, c, k)
	return h, err
}

// load also returns the document as it is stored.
func load(ctx context.Context, c *client.Client, k *Keyring) (port.History, document, error) {
	h := port.History{Service: k.Service, Environment: k.Environment}
	var doc document
	configMaps, err := list(ctx, c, k.Service, k.Environment)
	if err != nil {
		return h, doc, err
	}
	parts := map[delivery.ReleaseID][]unstructured.Unstructured{}
	for _, o := range configMaps {
		if o.GetLabels()[labels.Record] == releaseRecord {
			parts[releaseOf(o)] = append(parts[releaseOf(o)], o)
			continue
		}
		raw, _, _ := unstructured.NestedString(o.Object, "data", historyKey)
		if err := json.Unmarshal([]byte(raw), &doc); err != nil {
			return h, doc, corrupt(o.GetName(), err)
		}
	}
	h.Deployments = doc.Deployments
	for _, m := range doc.Models {
		h.Models = append(h.Models, delivery.ModelVersion(m))
	}
	if len(parts) > maxReleases {
		return h, doc, fault.New(fault.Corrupt, "read the history of %s: it has %d releases, more than %d", k.Environment, len(parts), maxReleases).
			Hint("delete the ConfigMaps labeled %s=%s that no run of Slipway wrote", labels.Record, releaseRecord)
	}
	left := int64(maxUnpacked)
	for id, p := range parts {
		r, err := decodeRelease(id, p, &left)
		if err != nil {
			return h, doc, err
		}
		for i := range doc.Quarantined {
			if doc.Quarantined[i].Release == r.ID {
				r.Quarantined = &doc.Quarantined[i]
			}
		}
		h.Releases = append(h.Releases, r)
	}
	sort.Slice(h.Releases, func(i, j int) bool { return h.Releases[i].CreatedAt.After(h.Releases[j].CreatedAt) })
	trusted, err := k.trusted(ctx, c, doc.Seals)
	if err != nil {
		return h, doc, err
	}
	return h, doc, mark(&h, trusted)
}

// Delete removes the history, and its key.
func Delete(ctx context.Context, c *client.Client, k *Keyring) error {
	configMaps, err := list(ctx, c, k.Service, k.Environment)
	if err != nil {
		return err
	}
	if err := deleteAll(ctx, c, configMaps); err != nil {
		return err
	}
	return k.deleteSecret(ctx, c)
}
