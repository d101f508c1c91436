package app

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
)

// TestReadModelMetrics_TooLarge: metrics beyond the limit are refused, and not cut.
func TestReadModelMetrics_TooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.json")
	if err := os.WriteFile(path, []byte(`{"a": 1}`+strings.Repeat(" ", maxMetricsBytes)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := readModelMetrics(path); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "more than 1048576 bytes") {
		t.Errorf("error = %v, want %s", err, fault.Invalid)
	}
}

// TestReadEvents_LongLine: a line without end is an error, and the events before it are
// returned.
func TestReadEvents_LongLine(t *testing.T) {
	text := `{"kind":"run_started"}` + "\n" + strings.Repeat("x", maxEventLine+1)
	events, err := readEvents(bytes.NewReader([]byte(text)))
	if err == nil || len(events) != 1 {
		t.Errorf("%d events, error = %v, want one event and an error", len(events), err)
	}
}

// TestFollowsPullRequest_LongEvent: an event that is too long to be read counts as one of a
// pull request, whatever its end says.
func TestFollowsPullRequest_LongEvent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "event.json")
	text := `{"padding":"` + strings.Repeat("x", maxEventFile) + `","workflow_run":{"event":"push"}}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &App{Environ: []string{"GITHUB_EVENT_NAME=workflow_run", "GITHUB_EVENT_PATH=" + path}}
	if follows, _ := a.followsPullRequest(); !follows {
		t.Error("it counts as a push")
	}
}
