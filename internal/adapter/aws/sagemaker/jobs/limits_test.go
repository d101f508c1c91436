package jobs

import (
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/memorytest"
)

// A job that prints without an end does not fill the memory; where the log was cut is
// its last line, and nothing follows it.
func TestJobLog_Endless(t *testing.T) {
	memorytest.Run(t, 6*maxLog, func() {
		var l log
		line := strings.Repeat("x", 1023)
		for range 2 * maxLog / len(line) {
			l.line(line)
		}
		l.line("a short one")
		text := l.from(0)
		if len(text) > maxLog+200 || !strings.HasSuffix(string(text[len(text)-100:]), "in CloudWatch\n") {
			t.Errorf("%d bytes kept, the last: %q", len(text), text[len(text)-100:])
		}
	})
}
