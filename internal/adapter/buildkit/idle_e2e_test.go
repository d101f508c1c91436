//go:build e2e

package buildkit_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/buildkit"
)

// testIdle: a build keeps it, idleness ends it, and the keeper ends with it.
func (y *yard) testIdle(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	log, done := hear(" now\n"), make(chan struct{})
	o := project(t, waits)
	go func() { defer close(done); _, _ = y.builder().Build(ctx, o, log) }()
	<-log.got
	kept := make(chan int, 1)
	go func() { kept <- buildkit.StopWhenIdle(t.Context(), []string{y.dir, "150ms"}) }()
	select {
	case code := <-kept:
		t.Errorf("while it builds, the keeper ends: %d", code)
	case <-time.After(600 * time.Millisecond): // four times as long as it may be idle
	}
	if len(y.daemons(t)) != 1 {
		t.Error("it was ended while it built")
	}
	cancel()
	<-done
	if code := <-kept; code != 0 || len(y.daemons(t)) != 0 {
		t.Errorf("after the build: %d, %v", code, y.daemons(t))
	}
	y.build(t, project(t, "FROM scratch\nCOPY a.txt /\n", "a.txt", "a"), io.Discard)
	go func() { kept <- buildkit.StopWhenIdle(t.Context(), []string{y.dir, "1h"}) }()
	if err := y.builder().Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code := <-kept; code != 0 {
		t.Errorf("after it was stopped: %d", code)
	}
	for _, args := range [][]string{nil, {y.dir}, {y.dir, "soon"}, {y.dir, "-1s"}} {
		if code := buildkit.StopWhenIdle(t.Context(), args); code != 2 {
			t.Errorf("%q: %d", args, code)
		}
	}
}
