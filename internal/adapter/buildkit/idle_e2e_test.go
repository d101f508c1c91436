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
func (f *fixture) testIdle(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	log, done := hear(" now\n"), make(chan struct{})
	o := project(t, waits)
	go func() { defer close(done); _, _ = f.builder().Build(ctx, o, log) }()
	<-log.got
	kept := make(chan int, 1)
	go func() { kept <- buildkit.StopWhenIdle(t.Context(), []string{f.dir, "150ms"}) }()
	select {
	case code := <-kept:
		t.Errorf("while it builds, the keeper ends: %d", code)
	case <-time.After(600 * time.Millisecond): // four times as long as it may be idle
	}
	if len(f.daemons(t)) != 1 {
		t.Error("it was ended while it built")
	}
	cancel()
	<-done
	if code := <-kept; code != 0 || len(f.daemons(t)) != 0 {
		t.Errorf("after the build: %d, %v", code, f.daemons(t))
	}
	f.build(t, project(t, "FROM scratch\nCOPY a.txt /\n", "a.txt", "a"), io.Discard)
	go func() { kept <- buildkit.StopWhenIdle(t.Context(), []string{f.dir, "1h"}) }()
	if err := f.builder().Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code := <-kept; code != 0 {
		t.Errorf("after it was stopped: %d", code)
	}
	for _, args := range [][]string{nil, {f.dir}, {f.dir, "soon"}, {f.dir, "-1s"}} {
		if code := buildkit.StopWhenIdle(t.Context(), args); code != 2 {
			t.Errorf("%q: %d", args, code)
		}
	}
}
