package render

import (
	"strings"

	"github.com/slipway-cd/slipway/internal/textline"
)

// maxMessage is the maximum length of a library's message, in characters.
const maxMessage = 600

// summary returns the beginning of a library's message, on one line.
func summary(err error) string { return truncate(oneLine(err)) }

func oneLine(err error) string { return textline.Printable(err.Error(), 0) }

func truncate(text string) string { return textline.Printable(text, maxMessage) }

// withoutChartName strips the chart's name from an engine name, which yields a path
// in the chart's folder.
func withoutChartName(name string) string {
	_, rest, _ := strings.Cut(name, "/")
	return rest
}

// maxQuoteLength is the longest quoted text that is kept in the engine's messages:
// enough for names of templates, too short for templates that values hold.
const maxQuoteLength = 60
