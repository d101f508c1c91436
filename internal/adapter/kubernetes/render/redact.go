package render

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strings"
)

// shortest is the length in bytes below which a value is not looked for in
// messages: it would be found in the middle of words.
const shortest = 4

// hider takes values out of what libraries say.
type hider struct{ values []string }

func (h *hider) add(value string) {
	for line := range strings.Lines(value) {
		if line = strings.TrimSpace(line); len(line) >= shortest {
			h.values = append(h.values, line)
		}
	}
}

// secret learns the values of a Secret, as they stand and decoded.
func (h *hider) secret(o object) {
	if o.stringField("kind") != "Secret" {
		return
	}
	for _, field := range []string{"data", "stringData"} {
		data, _ := o.body[field].(map[string]any)
		for _, v := range data {
			text, _ := v.(string)
			h.add(text)
			if plain, err := base64.StdEncoding.DecodeString(text); err == nil {
				h.add(string(plain))
			}
		}
	}
}

// leaves learns all texts in values.
func (h *hider) leaves(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			h.leaves(e)
		}
	case []any:
		for _, e := range v {
			h.leaves(e)
		}
	case string:
		if len(v) >= 2*shortest { // most are not secret at all
			h.add(v)
		}
	}
}

func (h *hider) text(s string) string {
	longestFirst := slices.Clone(h.values)
	slices.SortFunc(longestFirst, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, v := range longestFirst {
		s = strings.ReplaceAll(s, v, "***")
	}
	return s
}
