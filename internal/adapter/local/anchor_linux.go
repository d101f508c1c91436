package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/adapter/local/supervisor"
	"github.com/slipway-cd/slipway/internal/atomicfile"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/flock"
	"github.com/slipway-cd/slipway/internal/port"
)

// anchorsFile holds the anchors of all environments. They are not in the supervisor's
// state: that is about what runs, is only written while a supervisor does, and loses an
// environment that is taken down.
const (
	anchorsFile = "anchors.json"
	anchorsLock = "anchors.lock"
)

// anchorsDocument is the content of anchorsFile.
type anchorsDocument struct {
	Environments map[string]port.Anchor `json:"environments"` // by supervisor.EnvironmentKey
	Unknown      delivery.Unknown       `json:"-"`
}

// MarshalJSON writes the unknown fields, too.
func (d anchorsDocument) MarshalJSON() ([]byte, error) {
	type plain anchorsDocument
	return delivery.MarshalDocument(plain(d), d.Unknown)
}

// UnmarshalJSON keeps the unknown fields.
func (d *anchorsDocument) UnmarshalJSON(raw []byte) (err error) {
	type plain anchorsDocument
	d.Unknown, err = delivery.UnmarshalDocument(raw, (*plain)(d))
	return err
}

// Anchor returns which log the environment's records are in.
func (t *Target) Anchor(_ context.Context, service string, env delivery.Environment) (port.Anchor, error) {
	doc, err := t.anchors()
	return doc.Environments[supervisor.EnvironmentKey(service, env)], err
}

func (t *Target) anchors() (doc anchorsDocument, err error) {
	path := filepath.Join(t.cfg.Dir, anchorsFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return doc, nil
	}
	if err == nil {
		if err = json.Unmarshal(raw, &doc); err != nil {
			return doc, fault.New(fault.Corrupt, "read %s: which shared state the environments belong to", path).Cause(err).
				Hint("restore the file; or remove it, if the state in slipway.yaml is the right one")
		}
		return doc, nil
	}
	return doc, fmt.Errorf("read which shared state the environments belong to: %w", err)
}

// SetAnchor replaces the anchor if its mark is before.
func (t *Target) SetAnchor(ctx context.Context, service string, env delivery.Environment, before port.LogMark, a port.Anchor) error {
	if err := os.MkdirAll(t.cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("create the folder of the local target: %w", err)
	}
	lock, err := flock.Lock(ctx, filepath.Join(t.cfg.Dir, anchorsLock), nil)
	if err != nil {
		return fmt.Errorf("record which shared state %s belongs to: %w", env, err)
	}
	defer lock.Close()
	doc, err := t.anchors()
	if err != nil {
		return err
	}
	key := supervisor.EnvironmentKey(service, env)
	if doc.Environments[key].Mark != before {
		return fault.New(fault.Conflict, "another process has recorded meanwhile which shared state %s belongs to", env).Hint("start the run again")
	}
	if doc.Environments == nil {
		doc.Environments = map[string]port.Anchor{}
	}
	doc.Environments[key] = a
	raw, err := json.Marshal(doc) // compact: unknown fields stay as they are
	if err != nil {
		return fmt.Errorf("encode which shared state %s belongs to: %w", env, err)
	}
	if err := atomicfile.Write(filepath.Join(t.cfg.Dir, anchorsFile), append(raw, '\n'), 0o600); err != nil {
		return fault.New(fault.FileKind(err), "record which shared state %s belongs to", env).Cause(err)
	}
	return nil
}
