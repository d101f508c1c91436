package fake

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// LogAnchor keeps anchors in memory. The zero value is ready.
type LogAnchor struct {
	mu      sync.Mutex
	anchors map[string][]byte
}

// AnchoredTarget is a target that keeps a history and remembers its log.
type AnchoredTarget struct {
	*TargetWithHistory
	LogAnchor
}

var _ port.LogAnchor = (*AnchoredTarget)(nil)

// Anchor returns the environment's anchor.
func (l *LogAnchor) Anchor(_ context.Context, service string, env delivery.Environment) (port.Anchor, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.read(service, env)
}

func (l *LogAnchor) read(service string, env delivery.Environment) (a port.Anchor, err error) {
	raw, ok := l.anchors[historyKey(service, env)]
	if !ok {
		return a, nil
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return a, fault.New(fault.Corrupt, "read the anchor of %s", env).Cause(err)
	}
	return a, nil
}

// SetAnchor replaces the anchor if its mark is before.
func (l *LogAnchor) SetAnchor(_ context.Context, service string, env delivery.Environment, before port.LogMark, a port.Anchor) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, err := l.read(service, env)
	if err != nil {
		return err
	}
	if now.Mark != before {
		return fault.New(fault.Conflict, "the anchor of %s has changed", env)
	}
	raw, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if l.anchors == nil {
		l.anchors = map[string][]byte{}
	}
	l.anchors[historyKey(service, env)] = raw
	return nil
}

// DamageAnchor makes an anchor unreadable.
func (l *LogAnchor) DamageAnchor(service string, env delivery.Environment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.anchors[historyKey(service, env)] = []byte("{")
}
