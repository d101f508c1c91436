package kubernetes

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Records are ConfigMaps beside what serves: one with the history, and one or
// more for each release, which never change. They hold no values of Secrets.
const (
	historyKey    = "history.json"
	releaseKey    = "release.json.gz"
	mostPart      = 900 << 10 // bytes of a ConfigMap's data; the API takes a megabyte in all
	mostUnpacked  = 64 << 20
	partOf        = "slipway.dev/part"
	releaseRecord = "release"
	historyRecord = "history"
)

// told is the content of the history's ConfigMap.
type told struct {
	Deployments []delivery.Deployment   `json:"deployments"`
	Quarantined []delivery.Quarantine   `json:"quarantined,omitempty"`
	Models      []delivery.ModelVersion `json:"models,omitempty"`
}

// SaveHistory keeps the history. It takes the environment's lock for the newest
// deployment's run: what another run has written is not written over.
func (t *Target) SaveHistory(ctx context.Context, h port.History) error {
	if len(h.Deployments) == 0 {
		return nil
	}
	o := port.DeployRequest{Service: h.Service, Environment: h.Environment, Run: h.Deployments[0].Run}
	c, err := t.connected()
	if err != nil {
		return err
	}
	if _, err = t.hold(ctx, c, o, func(string) {}); err != nil {
		return err
	}
	before, err := t.LoadHistory(ctx, h.Service, h.Environment)
	if err != nil {
		return err
	}
	if err := unknown(before, h); err != nil {
		return err
	}
	kept := map[delivery.ReleaseID]bool{}
	for _, r := range before.Releases {
		kept[r.ID] = true
	}
	text := told{Deployments: h.Deployments, Models: h.Models}
	for _, r := range h.Releases {
		if r.Quarantined != nil {
			text.Quarantined = append(text.Quarantined, *r.Quarantined)
		}
		if !kept[r.ID] {
			if err := c.keep(ctx, h, r); err != nil {
				return err
			}
		}
		delete(kept, r.ID)
	}
	if err := c.writeHistory(ctx, h, text); err != nil {
		return err
	}
	for id := range kept { // told no more
		if err := c.drop(ctx, h.Service, h.Environment, id); err != nil {
			return err
		}
	}
	return nil
}

// unknown refuses to go on from a history that lacks what another Slipway did
// here since.
func unknown(there, ours port.History) error {
	for _, d := range there.Deployments {
		if d.State != delivery.Serving {
			continue
		}
		for _, o := range ours.Deployments {
			if o.Run == d.Run && o.Release == d.Release || !o.ServingAt.Before(d.ServingAt) && o.State == delivery.Serving {
				return nil
			}
		}
		return fault.New(fault.Conflict, "run %s by %s brought %s into %s, and these records do not know of it", d.Run, d.By, d.Release, ours.Environment).
			Hint("start the run again: it reads what happened here first")
	}
	return nil
}

// recordName is the name of what is kept in a cluster for an environment: its
// history, and its lock.
func recordName(service string, env delivery.Environment) string {
	return "slipway-" + service + "-" + string(env)
}

func record(name, sort string, h port.History) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": name, "labels": map[string]any{
			managedBy: manager, recordLabel: sort, serviceLabel: h.Service, environmentLabel: string(h.Environment),
		}},
	}}
}

func (c *cluster) writeHistory(ctx context.Context, h port.History, text told) error {
	raw, err := json.Marshal(text)
	if err != nil {
		return fmt.Errorf("write the history: %w", err)
	}
	o := record(recordName(h.Service, h.Environment), historyRecord, h)
	o.Object["data"] = map[string]any{historyKey: string(raw)}
	_, err = c.apply(ctx, o, manner{force: true})
	return err
}

// keep writes a release, in parts when it is large.
func (c *cluster) keep(ctx context.Context, h port.History, r delivery.ReleaseRecord) error {
	r.Quarantined = nil // that is in the history: it changes
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write %s: %w", r.ID, err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(raw); err != nil {
		return fmt.Errorf("pack %s: %w", r.ID, err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("pack %s: %w", r.ID, err)
	}
	for n := 0; packed.Len() > 0; n++ {
		o := record(fmt.Sprintf("%s-%s-%d", recordName(h.Service, h.Environment), r.ID, n), releaseRecord, h)
		o.SetAnnotations(map[string]string{releaseLabel: string(r.ID), partOf: fmt.Sprint(n)})
		o.Object["binaryData"] = map[string]any{releaseKey: base64.StdEncoding.EncodeToString(packed.Next(mostPart))}
		o.Object["immutable"] = true
		if _, err := c.apply(ctx, o, manner{force: true}); err != nil {
			return err
		}
	}
	return nil
}

// LoadHistory returns the history; an empty one when there is none.
func (t *Target) LoadHistory(ctx context.Context, service string, env delivery.Environment) (port.History, error) {
	out := port.History{Service: service, Environment: env}
	c, err := t.connected()
	if err != nil {
		return out, err
	}
	found, err := c.list(ctx, configMaps(), labelsOf(service, env)+","+recordLabel)
	if err != nil {
		return out, err
	}
	var text told
	parts := map[delivery.ReleaseID][]unstructured.Unstructured{}
	for _, o := range found {
		if o.GetLabels()[recordLabel] == releaseRecord {
			id := delivery.ReleaseID(o.GetAnnotations()[releaseLabel])
			parts[id] = append(parts[id], o)
			continue
		}
		raw, _, _ := unstructured.NestedString(o.Object, "data", historyKey)
		if err := json.Unmarshal([]byte(raw), &text); err != nil {
			return out, damaged(o.GetName(), err)
		}
	}
	out.Deployments, out.Models = text.Deployments, text.Models
	for id, p := range parts {
		r, err := unpack(id, p)
		if err != nil {
			return out, err
		}
		for i := range text.Quarantined {
			if text.Quarantined[i].Release == r.ID {
				r.Quarantined = &text.Quarantined[i]
			}
		}
		out.Releases = append(out.Releases, r)
	}
	sort.Slice(out.Releases, func(i, j int) bool { return out.Releases[i].CreatedAt.After(out.Releases[j].CreatedAt) })
	return out, nil
}

func damaged(name string, err error) error {
	return fault.New(fault.Corrupt, "read the record %s", name).Cause(err).
		Hint("it was changed by hand: remove that ConfigMap, it is written anew from the records that run deploys")
}

func unpack(id delivery.ReleaseID, parts []unstructured.Unstructured) (r delivery.ReleaseRecord, err error) {
	sort.Slice(parts, func(i, j int) bool {
		a, b := parts[i].GetAnnotations()[partOf], parts[j].GetAnnotations()[partOf]
		return len(a) < len(b) || len(a) == len(b) && a < b
	})
	var packed strings.Builder
	for _, p := range parts {
		text, _, _ := unstructured.NestedString(p.Object, "binaryData", releaseKey)
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return r, damaged(p.GetName(), err)
		}
		packed.Write(raw)
	}
	z, err := gzip.NewReader(strings.NewReader(packed.String()))
	if err != nil {
		return r, damaged(parts[0].GetName(), err)
	}
	raw, err := io.ReadAll(io.LimitReader(z, mostUnpacked))
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	if err == nil && r.ID != id {
		err = fmt.Errorf("it is of %q", r.ID)
	}
	if err != nil {
		return r, damaged(parts[0].GetName(), err)
	}
	return r, nil
}

// release finds a recorded release, or nil.
func (c *cluster) release(ctx context.Context, service string, env delivery.Environment, id delivery.ReleaseID) (*delivery.ReleaseRecord, error) {
	parts, err := c.parts(ctx, service, env, id)
	if err != nil || len(parts) == 0 {
		return nil, err
	}
	r, err := unpack(id, parts)
	return &r, err
}

// parts are the ConfigMaps that hold a release's record.
func (c *cluster) parts(ctx context.Context, service string, env delivery.Environment, id delivery.ReleaseID) ([]unstructured.Unstructured, error) {
	found, err := c.list(ctx, configMaps(), labelsOf(service, env)+","+recordLabel+"="+releaseRecord)
	return slices.DeleteFunc(found, func(o unstructured.Unstructured) bool {
		return o.GetAnnotations()[releaseLabel] != string(id)
	}), err
}

// drop removes a release's record.
func (c *cluster) drop(ctx context.Context, service string, env delivery.Environment, id delivery.ReleaseID) error {
	parts, err := c.parts(ctx, service, env, id)
	if err != nil {
		return err
	}
	return c.removeAll(ctx, parts)
}

// forget removes all records of a service in an environment.
func (c *cluster) forget(ctx context.Context, service string, env delivery.Environment) error {
	found, err := c.list(ctx, configMaps(), labelsOf(service, env)+","+recordLabel)
	if err != nil {
		return err
	}
	return c.removeAll(ctx, found)
}

func (c *cluster) removeAll(ctx context.Context, records []unstructured.Unstructured) error {
	for _, o := range records {
		if err := c.remove(ctx, configMaps(), o.GetNamespace(), o.GetName()); err != nil {
			return err
		}
	}
	return nil
}
