//go:build linux

package local_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/flock"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// TestTarget_SilentSupervisor: every call of a supervisor that accepts and does not
// respond, or ends in the middle of a response, returns once its context ends.
func TestTarget_SilentSupervisor(t *testing.T) {
	ways := silenttest.HTTP()
	ways["ends in a message"] = func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"say\": \"x")
		}
		c.Close()
	}
	for name, respond := range ways {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := &fakeStore{t: t, sample: sample(t)}
			target := &testTarget{Target: local.New(local.Config{Dir: dir, Images: s, Artifacts: s}), service: "sample"}
			o := target.request(porttest.Sample{Version: "a"})
			// A supervisor that a call has started finds the folder in use, and exits.
			t.Cleanup(func() { porttest.Await(t, "nothing uses the folder", func() bool { return os.RemoveAll(dir) == nil }) })
			serveSupervisor(t, dir, string(o.ID), respond)
			var all sync.WaitGroup
			calls := silenttest.Calls{
				"Target.Stage":   func(ctx context.Context) error { _, err := target.Stage(ctx, o, nil); return err },
				"Target.Promote": func(ctx context.Context) error { _, err := target.Promote(ctx, o, nil); return err },
				"Target.Discard": func(ctx context.Context) error { return target.Discard(ctx, o) },
				"Target.Observe": func(ctx context.Context) error {
					_, err := target.Observe(ctx, o.Service, o.Environment)
					return silenttest.MaySucceed(err)
				},
				"Target.Drift": func(ctx context.Context) error {
					_, err := target.Drift(ctx, o)
					return silenttest.MaySucceed(err)
				},
				"Target.Remove": func(ctx context.Context) error { return target.Remove(ctx, o.Service, o.Environment) },
				"Target.Traffic": func(ctx context.Context) error {
					_, err := target.Traffic(ctx, o.Service, o.Environment, o.ID, time.Time{})
					return err
				},
				"Target.Identify":    func(ctx context.Context) error { _, err := target.Identify(ctx, o, "http://127.0.0.1:1"); return err },
				"Target.Restore":     target.Restore,
				"Target.AwaitOutage": target.AwaitOutage,
				"Target.Down":        target.Down,
			}
			for call, do := range calls {
				all.Go(func() { // at once: none waits for another
					ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
					defer cancel()
					start := time.Now()
					err := do(ctx)
					if took := time.Since(start); took > 5*time.Second {
						t.Errorf("%s returned %v after %s, want it when its context ends", call, err, took)
					}
					if err == nil && call != "Target.Observe" {
						t.Errorf("%s succeeded", call)
					}
				})
			}
			all.Wait()
			silenttest.Check(t, calls)
		})
	}
}

// serveSupervisor takes the place of the supervisor of a folder in which a release is staged.
func serveSupervisor(t *testing.T, dir, staged string, respond func(net.Conn)) {
	t.Helper()
	state := `{"schema": 1, "environments": {"sample/dev": {"service": "sample", "environment": "dev", "port": 18001,
		"staged": {"release": "` + staged + `", "spec": {"rootfs": "/x", "image": {}, "workload": {"replicas": 1, "health": "/"}}}}}}`
	if err := os.WriteFile(filepath.Join(dir, "state.json"), []byte(state), 0o600); err != nil {
		t.Fatal(err)
	}
	lock, err := flock.TryLock(filepath.Join(dir, "supervisor.lock"))
	if err != nil || lock == nil {
		t.Fatalf("lock: %v, %v", lock, err)
	}
	t.Cleanup(func() { lock.Close() })
	if err := os.Mkdir(filepath.Join(dir, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(dir, "run")) // paths of sockets are short
	l, err := net.Listen("unix", "supervisor.sock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go respond(c)
		}
	}()
}
