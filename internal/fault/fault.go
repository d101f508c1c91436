// Package fault holds the one error type that is shown to users: what went wrong,
// where, why, and what to do about it. Errors in between are plain wrapped
// errors; rendering uses the outermost fault in the chain.
package fault

import (
	"errors"
	"fmt"
)

// Kind is the kind of failure; it determines the exit code.
type Kind string

// The kinds.
const (
	Invalid     Kind = "invalid"     // usage or configuration: exit 2
	NotFound    Kind = "not found"   // the thing that was named does not exist: exit 2
	Conflict    Kind = "conflict"    // the state forbids it (quarantined, taken, already decided)
	Denied      Kind = "denied"      // credentials or policy
	Failed      Kind = "failed"      // a gate or a step failed
	Unavailable Kind = "unavailable" // did not respond
	Exhausted   Kind = "exhausted"   // disk, memory, time
	Corrupt     Kind = "corrupt"     // what was stored is not what was written
	Internal    Kind = "internal"    // a bug in Slipway
)

// Error is a fault. Build it with New and the methods below; read it with As.
type Error struct {
	kind           Kind
	what           string
	location       string
	hint           string
	cause          error
	infrastructure bool
}

// New returns a fault. Its text is the action and its object ("push retail-api"),
// never "failed to".
func New(kind Kind, format string, args ...any) *Error {
	return &Error{kind: kind, what: fmt.Sprintf(format, args...)}
}

// Location adds the position in the user's file: "slipway.yaml:12:5".
func (e *Error) Location(where string) *Error { c := *e; c.location = where; return &c }

// Hint adds what the user can do.
func (e *Error) Hint(format string, args ...any) *Error {
	c := *e
	c.hint = fmt.Sprintf(format, args...)
	return &c
}

// Infrastructure marks a failure of the infrastructure: an environment that did
// not respond or denied access. It is no verdict on what was deployed.
func (e *Error) Infrastructure() *Error { c := *e; c.infrastructure = true; return &c }

// Cause adds the cause.
func (e *Error) Cause(err error) *Error { c := *e; c.cause = err; return &c }

// Error is one line: where, what and why, without the hint.
func (e *Error) Error() string {
	s := e.what
	if e.location != "" {
		s = e.location + ": " + s
	}
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// KindOf returns the kind of the outermost fault in err's chain, or Internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.kind
	}
	return Internal
}

// HintOf returns the first hint in err's chain, or "".
func HintOf(err error) string {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		if e.hint != "" {
			return e.hint
		}
		err = e.cause
	}
	return ""
}

// infrastructureError marks an error without a change to its kind, text or hint.
type infrastructureError struct{ error }

func (e infrastructureError) Unwrap() error { return e.error }

// verdictError marks an error without a change to its kind, text or hint.
type verdictError struct{ error }

func (e verdictError) Unwrap() error { return e.error }

// AsVerdict marks an error as a verdict on the release, whatever its kind: a target
// that knows why the release can't run, such as an image that does not exist, or
// requests that exceed a quota.
func AsVerdict(err error) error {
	if err == nil {
		return nil
	}
	return verdictError{err}
}

// AsInfrastructure marks an error of the machine, the target or the records as a
// failure of the infrastructure. Verdicts stay unmarked: a release that Failed, or
// whose definition is Invalid, and what is marked as one. So does a nil error.
func AsInfrastructure(err error) error {
	if err == nil || Is(err, Failed) || Is(err, Invalid) || errors.As(err, new(verdictError)) {
		return err
	}
	return infrastructureError{err}
}

// IsInfrastructure reports whether err, or any fault in its chain, is a failure of
// the infrastructure.
func IsInfrastructure(err error) bool {
	if marked := (infrastructureError{}); errors.As(err, &marked) {
		return true
	}
	var e *Error
	for errors.As(err, &e) {
		if e.infrastructure {
			return true
		}
		err = e.cause
	}
	return false
}

// Is reports whether the outermost fault in err's chain is of that kind.
func Is(err error, kind Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.kind == kind
}
