//go:build linux

package local_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local"
	"github.com/slipway-cd/slipway/internal/adapter/local/container"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// BenchmarkStart is the time from the order to the first answer of one replica: in
// this machine's network, and in a network of its own.
func BenchmarkStart(b *testing.B) {
	for _, runtime := range runtimes() {
		for _, own := range []int{0, 8000} {
			name := runtime
			if own != 0 {
				name += ", network of its own"
			}
			b.Run(name, func(b *testing.B) { benchmarkStart(b, runtime, own) })
		}
	}
}

func benchmarkStart(b *testing.B, runtime string, own int) {
	s := newTestTarget(b, func(c *local.Config) { c.Runtime = runtime })
	warm := s.request(porttest.Sample{Version: "warm"})
	s.deploy(b, warm)
	i := 0
	for b.Loop() {
		i++
		o := s.requestIn("bench", porttest.Sample{Version: fmt.Sprint(i)})
		o.Release.Workload.Replicas, o.Release.Workload.Port = 1, own
		o.Release.Model = nil
		if _, err := s.Stage(context.Background(), o, nil); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := s.Discard(context.Background(), o); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkDial is a new connection to a replica: in this machine's network, and in
// a network of its own.
func BenchmarkDial(b *testing.B) {
	for _, name := range runtimes() {
		for _, at := range []int{0, 8000} {
			b.Run(fmt.Sprintf("%s, own port %d", name, at), func(b *testing.B) {
				c, at := startListening(b, name, at)
				b.ResetTimer()
				for range b.N {
					conn, err := c.Dial(b.Context(), at)
					if err != nil {
						b.Fatal(err)
					}
					conn.Close()
				}
			})
		}
	}
}

// startListening starts a container with a service that listens, and returns the
// port; 0: one of this machine's.
func startListening(b *testing.B, name string, own int) (*container.Container, int) {
	b.Helper()
	requireContainers(b, name)
	runtime, err := container.SelectRuntime(name, "", []string{local.InitCommand}, container.NewSpawner())
	if err != nil {
		b.Fatal(err)
	}
	at := own
	if at == 0 {
		free, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		at = free.Addr().(*net.TCPAddr).Port
		free.Close()
	}
	spec := container.Spec{
		Name: fmt.Sprintf("bench-%d", at), Rootfs: benchRoot(b), Args: []string{"/sample"}, Env: []string{fmt.Sprintf("PORT=%d", at)}, User: container.DefaultUser, Port: own,
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	c, err := runtime.Start(spec, null, func(container.Started) {})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Signal(syscall.SIGKILL); c.Wait() })
	for {
		conn, err := c.Dial(b.Context(), at)
		if err == nil {
			conn.Close()
			return c, at
		}
		time.Sleep(5 * time.Millisecond) // poll interval
	}
}

// benchRoot is a root file system with the sample alone.
func benchRoot(b *testing.B) string {
	b.Helper()
	base := b.TempDir()
	for _, dir := range []string{base, filepath.Dir(base)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			b.Fatal(err)
		}
	}
	if err := copyFile(sample(b), filepath.Join(base, "sample"), 0o755); err != nil {
		b.Fatal(err)
	}
	return base
}

// BenchmarkBox is a container from its start to its end, with a program that
// ends at once.
func BenchmarkBox(b *testing.B) {
	for _, name := range runtimes() {
		b.Run(name, func(b *testing.B) {
			requireContainers(b, name)
			runtime, err := container.SelectRuntime(name, "", []string{local.InitCommand}, container.NewSpawner())
			if err != nil {
				b.Fatal(err)
			}
			base := benchRoot(b)
			null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
			if err != nil {
				b.Fatal(err)
			}
			defer null.Close()
			spec := container.Spec{Name: "bench", Rootfs: base, Args: []string{"/sample"}, Env: []string{"SAMPLE_MODE=crash"}, User: container.DefaultUser}
			for b.Loop() {
				started, err := runtime.Start(spec, null, func(container.Started) {})
				if err != nil {
					b.Fatal(err)
				}
				if exit := started.Wait(); exit.Code != 3 {
					b.Fatalf("it ended with %s, want code 3", exit)
				}
			}
		})
	}
}
