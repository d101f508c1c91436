package delivery

import (
	"encoding/json"
	"time"
)

// Duration is a time.Duration that reads and writes as "1m30s" in YAML and JSON.
type Duration time.Duration

// D is the duration as the standard library's type.
func (d Duration) D() time.Duration { return time.Duration(d) }

func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText writes "1m30s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// MarshalJSON writes a JSON string, so that zero is "0s" and not lost.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }
