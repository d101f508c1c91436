package render

import (
	"fmt"
	"strings"
)

// Table formats rows in columns, and cuts lines that are wider than width; 0: none is.
func Table(rows [][]string, width int) []string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], Width(cell))
		}
	}
	lines := make([]string, len(rows))
	for n, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			fmt.Fprintf(&line, "%-*s  ", widths[i], printable(cell))
		}
		lines[n] = strings.TrimRight(line.String(), " ")
		if width > 0 {
			lines[n] = cut(lines[n], width)
		}
	}
	return lines
}
