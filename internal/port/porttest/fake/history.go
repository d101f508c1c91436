package fake

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// HistoryStore keeps histories in memory. The zero value is ready.
type HistoryStore struct {
	Fail func(method string) error // nil: nothing fails

	mu        sync.Mutex
	histories map[string][]byte
}

// TargetWithHistory is a target that keeps a history. Its writes are among the target's
// Calls: "SaveHistory r-... serving", the newest deployment.
type TargetWithHistory struct {
	*Target
	History HistoryStore
}

var _ port.HistoryStore = (*TargetWithHistory)(nil)

// SaveHistory stores the history and adds the write to Calls.
func (c *TargetWithHistory) SaveHistory(ctx context.Context, h port.History) error {
	if len(h.Deployments) > 0 {
		d := h.Deployments[0]
		c.mu.Lock()
		c.Calls = append(c.Calls, fmt.Sprintf("SaveHistory %s %s", d.Release, d.State))
		c.mu.Unlock()
	}
	return c.History.SaveHistory(ctx, h)
}

// LoadHistory returns the history.
func (c *TargetWithHistory) LoadHistory(ctx context.Context, service string, env delivery.Environment) (port.History, error) {
	return c.History.LoadHistory(ctx, service, env)
}

var _ port.HistoryStore = (*HistoryStore)(nil)

func (c *HistoryStore) enter(method string) error {
	if c.Fail == nil {
		return nil
	}
	return c.Fail(method)
}

func historyKey(service string, env delivery.Environment) string { return service + "/" + string(env) }

// SaveHistory replaces the history; stored releases stay as they are.
func (c *HistoryStore) SaveHistory(_ context.Context, h port.History) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(h.Deployments) == 0 {
		return nil
	}
	if err := c.enter("SaveHistory"); err != nil {
		return err
	}
	before, err := c.read(h.Service, h.Environment)
	if err != nil {
		return err
	}
	for _, d := range before.Deployments {
		known := slices.ContainsFunc(h.Deployments, func(o delivery.Deployment) bool { return o.Run == d.Run && o.Release == d.Release })
		later := slices.ContainsFunc(h.Deployments, func(o delivery.Deployment) bool {
			return o.State == delivery.Serving && !o.ServingAt.Before(d.ServingAt)
		})
		if d.State == delivery.Serving && !known && !later {
			return fault.New(fault.Conflict, "run %s brought %s", d.Run, d.Release)
		}
	}
	h.Releases = slices.Clone(h.Releases)
	for i, r := range h.Releases {
		if n := slices.IndexFunc(before.Releases, func(b delivery.ReleaseRecord) bool { return b.ID == r.ID }); n >= 0 && (r.Unsigned || !before.Releases[n].Unsigned) {
			h.Releases[i] = before.Releases[n]
			h.Releases[i].Quarantined = r.Quarantined
		}
	}
	raw, err := json.Marshal(encoded(h))
	if err != nil {
		return fmt.Errorf("write the history: %w", err)
	}
	if c.histories == nil {
		c.histories = map[string][]byte{}
	}
	c.histories[historyKey(h.Service, h.Environment)] = raw
	return nil
}

// LoadHistory returns the history.
func (c *HistoryStore) LoadHistory(_ context.Context, service string, env delivery.Environment) (port.History, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.enter("LoadHistory"); err != nil {
		return port.History{}, err
	}
	return c.read(service, env)
}

func (c *HistoryStore) read(service string, env delivery.Environment) (port.History, error) {
	out := port.History{Service: service, Environment: env}
	raw, ok := c.histories[historyKey(service, env)]
	if !ok {
		return out, nil
	}
	var doc historyDocument
	if err := json.Unmarshal(raw, &doc); err != nil {
		return out, fault.New(fault.Corrupt, "read the history of %s", env).Cause(err)
	}
	out.Deployments = doc.Deployments
	for _, r := range doc.Releases {
		out.Releases = append(out.Releases, delivery.ReleaseRecord(r))
	}
	for _, m := range doc.Models {
		out.Models = append(out.Models, delivery.ModelVersion(m))
	}
	return out, nil
}

// historyDocument is a history as it is stored.
type historyDocument struct {
	Deployments []delivery.Deployment      `json:"deployments"`
	Releases    []delivery.ReleaseDocument `json:"releases"`
	Models      []delivery.ModelDocument   `json:"models"`
}

func encoded(h port.History) historyDocument {
	doc := historyDocument{Deployments: h.Deployments}
	for _, r := range h.Releases {
		doc.Releases = append(doc.Releases, delivery.ReleaseDocument(r))
	}
	for _, m := range h.Models {
		doc.Models = append(doc.Models, delivery.ModelDocument(m))
	}
	return doc
}

// Corrupt makes a history unreadable.
func (c *HistoryStore) Corrupt(service string, env delivery.Environment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.histories[historyKey(service, env)] = []byte("{")
}
