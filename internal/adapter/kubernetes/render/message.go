package render

import "strings"

// maxMessageBytes is the longest library message that is shown.
const maxMessageBytes = 600

// firstBytes returns the beginning of a library's message, on one line.
func firstBytes(err error) string { return truncate(oneLine(err)) }

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

func truncate(text string) string {
	if len(text) <= maxMessageBytes {
		return text
	}
	return strings.ToValidUTF8(text[:maxMessageBytes], "") + "..."
}

// withoutChartName strips the chart's name from an engine name, which yields a path
// in the chart's folder.
func withoutChartName(name string) string {
	_, rest, _ := strings.Cut(name, "/")
	return rest
}

// maxQuoteLength is the longest quoted text that is kept in the engine's messages:
// enough for names of templates, too short for templates that values hold.
const maxQuoteLength = 60
