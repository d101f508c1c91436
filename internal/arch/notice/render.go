package notice

import (
	"fmt"
	"slices"
	"strings"
)

const heading = `Slipway
Licensed under the Apache License, Version 2.0: see LICENSE.

The programs contain the following components. First all of them with their
licences, then every text once, with the components that it belongs to. This
file is made by ` + "`go run ./internal/arch/notice/cmd/notice`" + `.
`

// Render returns the content of the file.
func Render(all []Component) []byte {
	var out strings.Builder
	out.WriteString(heading + "\n")
	for _, c := range all {
		var names []string
		for _, l := range c.Licenses() {
			names = append(names, string(l))
		}
		fmt.Fprintf(&out, "  %s: %s\n", c.Name, strings.Join(names, ", "))
	}
	for _, text := range texts(all) {
		out.WriteString("\n" + strings.Repeat("=", 72) + "\n")
		for _, name := range text.of {
			out.WriteString(name + "\n")
		}
		out.WriteString(strings.Repeat("-", 72) + "\n" + text.content + "\n")
	}
	return []byte(out.String())
}

// shared is a text and where it is found.
type shared struct {
	content string
	of      []string
}

// texts are the distinct texts in the order of the components.
func texts(all []Component) []shared {
	var out []shared
	at := map[string]int{}
	for _, c := range all {
		for _, t := range c.Notices {
			words := strings.Join(strings.Fields(t.Content), " ") // however its lines are broken
			i, known := at[words]
			if !known {
				i = len(out)
				at[words] = i
				out = append(out, shared{content: t.Content})
			}
			out[i].of = append(out[i].of, c.Name+": "+t.Path)
		}
	}
	for i := range out {
		slices.Sort(out[i].of)
	}
	return out
}
