package delivery

import (
	"encoding/json"
	"strings"
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

// Short is the duration in seconds at most, without the parts that are zero: "10h", "1m30s".
func (d Duration) Short() string {
	text := d.D().Round(time.Second).String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}
