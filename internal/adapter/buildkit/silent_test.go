package buildkit

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// silentDaemons returns the ways in which a BuildKit, or a server before it, may fail to
// answer.
func silentDaemons() map[string]silenttest.Serve {
	const settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00" // the first frame of HTTP/2
	ways := silenttest.Raw()
	ways["is silent after the first frame"] = func(c net.Conn) { _, _ = io.WriteString(c, settings); _, _ = io.Copy(io.Discard, c) }
	ways["ends after the first frame"] = func(c net.Conn) {
		_, _ = io.WriteString(c, settings)
		_, _ = c.Read(make([]byte, 4096))
		c.Close()
	}
	ways["ends in a frame"] = func(c net.Conn) { _, _ = io.WriteString(c, settings+settings[:5]); c.Close() }
	return ways
}

// silentCalls are those of a Builder with variables.
func silentCalls(t *testing.T, env map[string]string) silenttest.Calls {
	t.Helper()
	b := builder(t, env)
	o := porttest.DockerProject(t, map[string]string{"Dockerfile": porttest.FromScratch})
	return silenttest.Calls{
		"Builder.Fingerprint": func(ctx context.Context) error { _, err := b.Fingerprint(ctx); return err },
		"Builder.Build":       func(ctx context.Context) error { _, err := b.Build(ctx, o, io.Discard); return err },
		"Builder.Stop":        func(ctx context.Context) error { return silenttest.MaySucceed(b.Stop(ctx)) },
	}
}

func TestBuilder_SilentDaemon(t *testing.T) {
	for name, serve := range silentDaemons() {
		t.Run("TCP server "+name, func(t *testing.T) {
			t.Parallel()
			silenttest.Check(t, silentCalls(t, map[string]string{HostVariable: silenttest.Listen(t, serve).URL("tcp")}))
		})
		t.Run("server on a socket "+name, func(t *testing.T) {
			t.Parallel()
			silenttest.Check(t, silentCalls(t, map[string]string{HostVariable: silenttest.ListenUnix(t, serve).URL("unix")}))
		})
	}
}

// TestBuilder_SilentDocker: an engine that fails to answer when it is looked for, or once
// it is found.
func TestBuilder_SilentDocker(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("it starts none of its own")
	}
	t.Setenv("PATH", t.TempDir()) // without a BuildKit to start instead
	for name, serve := range silenttest.HTTP() {
		t.Run("engine "+name, func(t *testing.T) {
			silenttest.Check(t, silentCalls(t, map[string]string{dockerVariable: silenttest.ListenUnix(t, serve).URL("unix")}))
		})
		t.Run("engine's BuildKit "+name, func(t *testing.T) {
			found := func(c net.Conn) { engineWithout(c, serve) }
			silenttest.Check(t, silentCalls(t, map[string]string{dockerVariable: silenttest.ListenUnix(t, found).URL("unix")}))
		})
	}
}

// engineWithout answers as Docker's engine does, up to the connection to its BuildKit:
// that gets serve.
func engineWithout(c net.Conn, serve silenttest.Serve) {
	r := bufio.NewReader(c)
	head, err := r.Peek(len("GET /info"))
	if err != nil || string(head) != "GET /info" {
		serve(readerConn{c, r})
		return
	}
	if _, err := http.ReadRequest(r); err == nil {
		body := `{"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}`
		resp := http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Close: true, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
		_ = resp.Write(c)
	}
	c.Close()
}

// readerConn is a connection of which the beginning has been read.
type readerConn struct {
	net.Conn
	r *bufio.Reader
}

func (c readerConn) Read(p []byte) (int, error) { return c.r.Read(p) }

// TestBuilder_SilentProgram: a BuildKit to start that prints no version, and never
// listens.
func TestBuilder_SilentProgram(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("it starts none of its own")
	}
	bin := t.TempDir()
	for _, name := range []string{"buildkitd", "runc", "rootlesskit"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\nexec sleep 30\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	silenttest.Check(t, silentCalls(t, map[string]string{dockerVariable: "unix:///nowhere/docker.sock"}))
}
