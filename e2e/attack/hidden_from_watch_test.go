//go:build linux

package attack

import (
	"testing"
	"time"
)

// TestHiddenFromWatch: users took their requests out of the watch with the header of
// Slipway's probes. A release that fails for them was accepted.
func TestHiddenFromWatch(t *testing.T) {
	l := newService(t)
	url := l.deploy()
	l.edit("slipway.yaml", "deploy: {replicas: 1,", "deploy: {replicas: 1, watch: {error_rate: 0.05},")
	l.edit("slipway.yaml", "target: {local: {}}", "target: {local: {}}, bake: 2s")
	l.edit("main.go", `"answered by the service")`, `"answered by another version")`)
	l.commit("another version")
	run, _ := l.startPiped("run", "--env", "prod")
	ended := make(chan struct{})
	go func() { defer close(ended); _ = run.Wait() }()
	for !l.eventually(time.Millisecond, func() bool {
		select {
		case <-ended:
			return true
		default:
			return false
		}
	}) {
		for range 20 {
			_ = l.raw(url, "GET /fail HTTP/1.1\r\nSlipway-Probe: 1\r\n")
		}
	}
	if code := exitCode(run.ProcessState); code != 3 {
		t.Errorf("the run ended with %d, want 3: every request failed, so the release has to be taken back", code)
	}
}
