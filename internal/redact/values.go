package redact

import "strings"

// values finds the occurrences of many texts in one pass. A text has at least two bytes.
type values struct {
	starts  [1 << 16 / 64]uint64 // whether a text begins with these two bytes
	byStart map[uint16][]string
	longest int
}

// add adds a text.
func (v *values) add(text string) {
	if v.byStart == nil {
		v.byStart = map[uint16][]string{}
	}
	key := start(text)
	for _, known := range v.byStart[key] {
		if known == text {
			return
		}
	}
	v.starts[key/64] |= 1 << (key % 64)
	v.byStart[key] = append(v.byStart[key], text)
	v.longest = max(v.longest, len(text))
}

func start(s string) uint16 { return uint16(s[0])<<8 | uint16(s[1]) }

// prefix returns the length of the longest text that s begins with, or 0.
func (v *values) prefix(s string) (longest int) {
	key := start(s)
	if v.starts[key/64]&(1<<(key%64)) == 0 {
		return 0
	}
	for _, text := range v.byStart[key] {
		if len(text) > longest && strings.HasPrefix(s, text) {
			longest = len(text)
		}
	}
	return longest
}

// replace replaces every occurrence, those that overlap as one.
func (v *values) replace(s, by string) string {
	var out strings.Builder
	copied, end := 0, 0 // up to where s is in out; of the last occurrence
	for i := range max(0, len(s)-1) {
		n := v.prefix(s[i:])
		if n == 0 {
			continue
		}
		if i >= end {
			out.WriteString(s[copied:i])
			out.WriteString(by)
		}
		end = max(end, i+n)
		copied = end
	}
	if end == 0 {
		return s
	}
	out.WriteString(s[copied:])
	return out.String()
}
