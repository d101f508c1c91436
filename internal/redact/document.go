package redact

import (
	"bytes"
	"encoding/json"

	"github.com/slipway-cd/slipway/internal/event"
)

// Event returns a copy of e with the secrets in its texts replaced.
func (r *Redactor) Event(e event.Event) event.Event {
	e.Text, e.Hint = r.Text(e.Text), r.Text(e.Hint)
	if e.GateResult != nil {
		a := *e.GateResult
		a.Evidence = r.Text(a.Evidence)
		e.GateResult = &a
	}
	return e
}

// JSON returns a document with the secrets in its strings replaced. One without
// secrets is returned as it is, byte for byte, and so is what is not JSON.
func (r *Redactor) JSON(raw json.RawMessage) json.RawMessage {
	if r == nil || r.values.longest == 0 || len(raw) == 0 {
		return raw
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var document any
	if d.Decode(&document) != nil {
		return raw
	}
	if redacted, changed := r.value(document); changed {
		if out, err := json.Marshal(redacted); err == nil {
			return out
		}
	}
	return raw
}

func (r *Redactor) value(v any) (out any, changed bool) {
	switch v := v.(type) {
	case string:
		s := r.Text(v)
		return s, s != v
	case []any:
		for i := range v {
			var c bool
			v[i], c = r.value(v[i])
			changed = changed || c
		}
	case map[string]any:
		for k := range v {
			var c bool
			v[k], c = r.value(v[k])
			changed = changed || c
		}
	}
	return v, changed
}
