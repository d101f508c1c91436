package port

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// LogMark is a place in a log of records that machines share: after one of its entries.
type LogMark struct {
	Log    string          `json:"log,omitempty"`    // the log's ID; empty: no log
	Entry  int64           `json:"entry,omitempty"`  // its number
	Digest delivery.Digest `json:"digest,omitempty"` // of its bytes
}

// Anchor ties an environment to the log that its records are in.
type Anchor struct {
	Mark    LogMark          `json:"mark"`              // as far as the log was when a deployment was accepted last
	Adopted *Adoption        `json:"adopted,omitempty"` // nil: it belongs to the first log that deployed there
	Unknown delivery.Unknown `json:"-"`
}

// Adoption is an operator's decision that an environment belongs to another log.
type Adoption struct {
	From    LogMark          `json:"from"` // where it belonged before
	By      delivery.Actor   `json:"by"`
	Why     string           `json:"why"`
	At      time.Time        `json:"at"`
	Unknown delivery.Unknown `json:"-"`
}

// LogAnchor is a target that remembers which log an environment's records are in. So
// whoever names another one, with no quarantines and approvals, deploys nothing.
type LogAnchor interface {
	// Anchor returns the environment's anchor; the zero Anchor without one. One that
	// can't be read is fault.Corrupt.
	Anchor(ctx context.Context, service string, env delivery.Environment) (Anchor, error)
	// SetAnchor replaces the anchor if its mark is before, the zero LogMark without one;
	// otherwise it is fault.Conflict, and the anchor stays. Of several calls with one
	// before and different marks, exactly one succeeds. Target.Remove leaves the anchor:
	// an environment without a release still belongs to its log.
	SetAnchor(ctx context.Context, service string, env delivery.Environment, before LogMark, a Anchor) error
}

// RecordLog is the log that the records are kept in.
type RecordLog interface {
	// Newest returns the mark of the newest entry; its Entry is 0 if the log is empty.
	Newest(ctx context.Context) (LogMark, error)
	// Contains reports whether the log has the entry that m is the mark of, or had it
	// before its oldest entries were pruned.
	Contains(ctx context.Context, m LogMark) (bool, error)
}

// MarshalJSON writes the unknown fields, too.
func (a Anchor) MarshalJSON() ([]byte, error) {
	type plain Anchor
	return delivery.MarshalDocument(plain(a), a.Unknown)
}

// UnmarshalJSON keeps the unknown fields.
func (a *Anchor) UnmarshalJSON(raw []byte) (err error) {
	type plain Anchor
	a.Unknown, err = delivery.UnmarshalDocument(raw, (*plain)(a))
	return err
}

// MarshalJSON writes the unknown fields, too.
func (a Adoption) MarshalJSON() ([]byte, error) {
	type plain Adoption
	return delivery.MarshalDocument(plain(a), a.Unknown)
}

// UnmarshalJSON keeps the unknown fields.
func (a *Adoption) UnmarshalJSON(raw []byte) (err error) {
	type plain Adoption
	a.Unknown, err = delivery.UnmarshalDocument(raw, (*plain)(a))
	return err
}
