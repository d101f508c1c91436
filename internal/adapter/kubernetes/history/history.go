// Package history keeps an environment's history in ConfigMaps next to what is
// deployed: one with the deployments, and one or more for each release, which never
// change. They hold no values of Secrets.
package history

import (
	"context"
	"encoding/json"
	"fmt"
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

// Save replaces the history. It refuses with fault.Conflict what does not continue
// the history in the cluster.
func Save(ctx context.Context, c *client.Client, h port.History) error {
	before, old, err := load(ctx, c, h.Service, h.Environment)
	if err != nil {
		return err
	}
	if err := checkContinues(before, h); err != nil {
		return err
	}
	saved := map[delivery.ReleaseID]bool{}
	for _, r := range before.Releases {
		saved[r.ID] = true
	}
	doc := document{Deployments: h.Deployments, Unknown: old.Unknown}
	for _, m := range h.Models {
		doc.Models = append(doc.Models, delivery.ModelDocument(m))
	}
	for _, r := range h.Releases {
		if r.Quarantined != nil {
			doc.Quarantined = append(doc.Quarantined, *r.Quarantined)
		}
		if !saved[r.ID] {
			if err := saveRelease(ctx, c, h, r); err != nil {
				return err
			}
		}
		delete(saved, r.ID)
	}
	if err := saveDocument(ctx, c, h, doc); err != nil {
		return err
	}
	for id := range saved { // no deployment names them any more
		if err := deleteRelease(ctx, c, h.Service, h.Environment, id); err != nil {
			return err
		}
	}
	return nil
}

// checkContinues rejects a history without the current deployment of the cluster's:
// another Slipway has deployed since.
func checkContinues(before, h port.History) error {
	for _, current := range before.Deployments {
		if current.State != delivery.Serving {
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

// Load returns the history; it is empty if there is none. A record that was tampered
// with is fault.Corrupt.
func Load(ctx context.Context, c *client.Client, service string, env delivery.Environment) (port.History, error) {
	h, _, err := load(ctx, c, service, env)
	return h, err
}

// load also returns the document as it is stored.
func load(ctx context.Context, c *client.Client, service string, env delivery.Environment) (port.History, document, error) {
	h := port.History{Service: service, Environment: env}
	var doc document
	configMaps, err := list(ctx, c, service, env)
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
	for id, p := range parts {
		r, err := decodeRelease(id, p)
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
	return h, doc, nil
}

// Delete removes the history.
func Delete(ctx context.Context, c *client.Client, service string, env delivery.Environment) error {
	configMaps, err := list(ctx, c, service, env)
	if err != nil {
		return err
	}
	return deleteAll(ctx, c, configMaps)
}
