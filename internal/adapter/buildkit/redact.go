package buildkit

import (
	"sort"
	"strings"
)

// shortest is the length in bytes below which a secret is not looked for: to
// replace "1" everywhere would hide the log and not a secret.
const shortest = 4

// hush takes a build's secrets out of what commands print. BuildKit keeps them
// out of layers; that a RUN prints one itself, only we can hide.
type hush struct{ with *strings.Replacer }

func newHush(secrets map[string][]byte) hush {
	var values []string
	for _, s := range secrets {
		for line := range strings.SplitSeq(string(s), "\n") {
			if line = strings.TrimSpace(line); len(line) >= shortest {
				values = append(values, line)
			}
		}
	}
	sort.Slice(values, func(i, j int) bool { return len(values[i]) > len(values[j]) }) // the longest first: one may be in another
	var pairs []string
	for _, v := range values {
		pairs = append(pairs, v, "***")
	}
	return hush{strings.NewReplacer(pairs...)}
}

func (h hush) text(s string) string { return h.with.Replace(s) }
