package kubernetes

import (
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
)

func TestNextAction(t *testing.T) {
	wanted := fakeapi.Object(t, "{apiVersion: batch/v1, kind: Job, metadata: {name: migrate-1, annotations: {slipway.dev/content: '1', slipway.dev/release: r-2}}}")
	for _, c := range []struct {
		name, live string
		want       jobAction
	}{
		{"absent", "", createJob},
		{"runs", "metadata: {annotations: {slipway.dev/content: '1'}}", awaitJob},
		{"runs, of another run", "metadata: {annotations: {slipway.dev/content: '1', slipway.dev/run: run-1}}", awaitJob},
		{"is complete", "metadata: {annotations: {slipway.dev/content: '1'}}, status: {conditions: [{type: Complete, status: 'True'}]}", skipJob},
		{"is complete, of another release", "metadata: {annotations: {slipway.dev/content: '1', slipway.dev/release: r-1}}, status: {conditions: [{type: Complete, status: 'True'}]}", skipJob},
		{"failed", "metadata: {annotations: {slipway.dev/content: '1', slipway.dev/run: run-2}}, status: {conditions: [{type: Failed, status: 'True'}]}", refuseJob},
		{"failed in another run", "metadata: {annotations: {slipway.dev/content: '1', slipway.dev/run: run-1}}, status: {conditions: [{type: Failed, status: 'True'}]}", removeJob},
		{"failed, made by hand", "status: {conditions: [{type: Failed, status: 'True'}]}", removeJob},
		{"is being deleted", "metadata: {deletionTimestamp: '2026-01-01T00:00:00Z', annotations: {slipway.dev/content: '1'}}, status: {conditions: [{type: Complete, status: 'True'}]}", awaitJob},
		{"keeps its name, and has other content", "metadata: {annotations: {slipway.dev/content: '0'}}, status: {conditions: [{type: Complete, status: 'True'}]}", removeJob},
		{"keeps its name, has other content and runs", "metadata: {annotations: {slipway.dev/content: '0'}}", removeJob},
		{"of a release before names of content", "metadata: {annotations: {slipway.dev/release: r-1}}, status: {conditions: [{type: Complete, status: 'True'}]}", removeJob},
		{"of the release, before names of content", "metadata: {annotations: {slipway.dev/release: r-2}}, status: {conditions: [{type: Complete, status: 'True'}]}", skipJob},
		{"a condition that is not true", "metadata: {annotations: {slipway.dev/content: '1'}}, status: {conditions: [{type: Complete, status: 'False'}]}", awaitJob},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.live == "" {
				if got := nextAction(wanted, nil, "run-2"); got != c.want {
					t.Errorf("nextAction = %s, want %s", got, c.want)
				}
				return
			}
			live := fakeapi.Object(t, "{apiVersion: batch/v1, kind: Job, "+c.live+"}")
			if got := nextAction(wanted, live, "run-2"); got != c.want {
				t.Errorf("nextAction = %s, want %s", got, c.want)
			}
		})
	}
}

func TestJobTimeout(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"{}":                                    maxWait,
		"{spec: {activeDeadlineSeconds: 3600}}": time.Hour + 30*time.Second,
	} {
		if got := jobTimeout(fakeapi.Object(t, "{apiVersion: batch/v1, kind: Job, "+text[1:])); got != want {
			t.Errorf("jobTimeout of %s = %s, want %s", text, got, want)
		}
	}
}
