package step

import (
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// UnsignedError refuses a release that is known from a history only which no trusted key
// has signed: whoever may write there could have made it up.
func UnsignedError(id delivery.ReleaseID, env delivery.Environment) error {
	return fault.New(fault.Denied, "release %s is pending: it is known from the history that %s keeps of itself, and no trusted key has signed it there", id, env).
		Hint("%s", unsignedHint(env))
}

// UnsignedHistoryError refuses to roll back where the history offers nothing else.
func UnsignedHistoryError(records int, env delivery.Environment) error {
	return fault.New(fault.Denied, "no release to roll back to in %s: %d records of its history are pending, as no trusted key has signed them", env, records).
		Hint("%s", unsignedHint(env))
}

// UnsignedWayBackError refuses to change an environment whose current release is known
// from an unsigned history only, and is not what serves there.
func UnsignedWayBackError(id delivery.ReleaseID, env delivery.Environment, difference string) error {
	return fault.New(fault.Conflict, "change %s: a failure would return to release %s, which is pending: no trusted key has signed its record, and it is not what runs there (%s)", env, id, difference).
		Hint("%s", unsignedHint(env))
}

func unsignedHint(env delivery.Environment) string {
	return "look at it with `slipway history show --env " + string(env) + "`; if it is yours, a person accepts it with `slipway history accept --env " + string(env) + "`"
}
