//go:build linux

package supervisor

import "github.com/slipway-cd/slipway/internal/delivery"

// The fields that a newer version wrote are kept: its command may have told an older
// supervisor, which still runs, what to save.

// MarshalJSON writes the unknown fields, too.
func (s State) MarshalJSON() ([]byte, error) {
	type plain State
	return delivery.MarshalDocument(plain(s), s.Unknown)
}

// UnmarshalJSON keeps the unknown fields.
func (s *State) UnmarshalJSON(raw []byte) (err error) {
	type plain State
	s.Unknown, err = delivery.UnmarshalDocument(raw, (*plain)(s))
	return err
}

// MarshalJSON writes the unknown fields, too.
func (e EnvironmentState) MarshalJSON() ([]byte, error) {
	type plain EnvironmentState
	return delivery.MarshalDocument(plain(e), e.Unknown)
}

// UnmarshalJSON keeps the unknown fields.
func (e *EnvironmentState) UnmarshalJSON(raw []byte) (err error) {
	type plain EnvironmentState
	e.Unknown, err = delivery.UnmarshalDocument(raw, (*plain)(e))
	return err
}

// MarshalJSON writes the unknown fields, too.
func (r ReleaseSpec) MarshalJSON() ([]byte, error) {
	type plain ReleaseSpec
	return delivery.MarshalDocument(plain(r), r.Unknown)
}

// UnmarshalJSON keeps the unknown fields.
func (r *ReleaseSpec) UnmarshalJSON(raw []byte) (err error) {
	type plain ReleaseSpec
	r.Unknown, err = delivery.UnmarshalDocument(raw, (*plain)(r))
	return err
}

// MarshalJSON writes the unknown fields, too.
func (s Spec) MarshalJSON() ([]byte, error) {
	type plain Spec
	return delivery.MarshalDocument(plain(s), s.Unknown)
}

// UnmarshalJSON keeps the unknown fields.
func (s *Spec) UnmarshalJSON(raw []byte) (err error) {
	type plain Spec
	s.Unknown, err = delivery.UnmarshalDocument(raw, (*plain)(s))
	return err
}
