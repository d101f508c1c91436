// Package shared is the state that machines share, beside the rows of their records.
package shared

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

// State is an opened shared state.
type State struct {
	Location string // for people, without credentials
	Objects  port.ObjectStore
	Log      *statelog.Log // nil: none has begun, and it was opened to be read only
}

// Open opens the log in the store. Where there is none, it begins one, or with readOnly
// leaves the store as it is.
func Open(ctx context.Context, location string, objects port.ObjectStore, readOnly bool, now time.Time) (*State, error) {
	s := &State{Location: location, Objects: objects}
	open := statelog.Open
	if readOnly {
		open = func(ctx context.Context, store port.ObjectStore, _ time.Time) (*statelog.Log, error) {
			return statelog.Find(ctx, store)
		}
	}
	var err error
	if s.Log, err = open(ctx, objects, now); err != nil && (!readOnly || !fault.Is(err, fault.NotFound)) {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close frees the store's connections. Without a state it does nothing.
func (s *State) Close() error {
	if s == nil {
		return nil
	}
	if c, ok := s.Objects.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
