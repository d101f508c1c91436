package render

import (
	"github.com/slipway-cd/slipway/internal/redact"
)

// redactSecret adds the values of a Secret to the redactor, encoded and decoded.
func redactSecret(r *redact.Redactor, o object) {
	if o.stringField("kind") != "Secret" {
		return
	}
	for _, field := range []string{"data", "stringData"} {
		data, _ := o.body[field].(map[string]any)
		for _, v := range data {
			if text, ok := v.(string); ok {
				r.AddBase64(text)
			}
		}
	}
}

// redactValues adds the strings in a chart's values to the redactor: any of them may
// be a secret.
func redactValues(r *redact.Redactor, values map[string]any) {
	r.AddSuspected(stringsIn(values)...)
}

func stringsIn(v any) []string {
	var out []string
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			out = append(out, stringsIn(e)...)
		}
	case []any:
		for _, e := range v {
			out = append(out, stringsIn(e)...)
		}
	case string:
		out = append(out, v)
	}
	return out
}
