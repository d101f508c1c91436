package delivery

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Location is where a target deploys to, as only that target reads it: a JSON
// object in canonical form. Equal locations are ==; the zero value is a target's
// only or default location.
type Location struct{ text string }

// NewLocation is the location that v, which must marshal to a JSON object,
// describes.
func NewLocation(v any) (Location, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return Location{}, fmt.Errorf("write the location: %w", err)
	}
	var l Location
	return l, l.UnmarshalJSON(raw)
}

// Decode reads the location into a pointer to what describes it.
func (l Location) Decode(v any) error {
	if l.text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(l.text), v); err != nil {
		return fmt.Errorf("read the location: %w", err)
	}
	return nil
}

// IsZero reports whether the location is empty.
func (l Location) IsZero() bool { return l.text == "" }

func (l Location) String() string { return l.text }

// MarshalJSON embeds the object.
func (l Location) MarshalJSON() ([]byte, error) {
	if l.text == "" {
		return []byte("{}"), nil
	}
	return []byte(l.text), nil
}

// UnmarshalJSON accepts any JSON object, whatever the order of its keys.
func (l *Location) UnmarshalJSON(raw []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return fmt.Errorf("read the location: %w", err)
	}
	l.text = ""
	if len(object) == 0 {
		return nil
	}
	canonical, err := json.Marshal(object) // sorts the keys
	if err != nil {
		return fmt.Errorf("read the location: %w", err)
	}
	l.text = string(canonical)
	return nil
}
