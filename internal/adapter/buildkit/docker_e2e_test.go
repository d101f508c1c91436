//go:build e2e

package buildkit_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/buildkit/client"

	"github.com/slipway-cd/slipway/internal/adapter/buildkit"
	"github.com/slipway-cd/slipway/internal/fault"
)

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// endpoint speaks as Docker's engine does and hands everything to a real BuildKit.
type endpoint struct {
	kit   string // its socket
	store string // that it says it has
}

func (e endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/info":
		_, _ = io.WriteString(w, `{"DriverStatus":[["driver-type","`+e.store+`"]]}`)
	case "/grpc":
		e.upgrade(w, r, func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", e.kit)
		})
	case "/session":
		e.upgrade(w, r, func(ctx context.Context) (net.Conn, error) {
			c, err := client.New(ctx, "unix://"+e.kit)
			if err != nil {
				return nil, err
			}
			meta := map[string][]string{}
			for key, values := range r.Header {
				if strings.HasPrefix(key, "X-Docker-Expose-Session") {
					meta[key] = values
				}
			}
			return c.Dialer()(ctx, r.Header.Get("Upgrade"), meta)
		})
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (e endpoint) upgrade(w http.ResponseWriter, r *http.Request, to func(context.Context) (net.Conn, error)) {
	proto := r.Header.Get("Upgrade")
	conn, in, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	kit, err := to(ctx)
	if err != nil {
		return
	}
	defer kit.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: "+proto+"\r\n\r\n")
	ended := make(chan struct{}, 2)
	pass := func(dst io.Writer, src io.Reader) { _, _ = io.Copy(dst, src); ended <- struct{}{} }
	go pass(kit, bufio.NewReader(in))
	go pass(conn, kit)
	<-ended
}

// testDocker builds through a socket that speaks Docker's protocol.
func (f *fixture) testDocker(t *testing.T) {
	f.build(t, project(t, "FROM scratch\nCOPY a.txt /\n", "a.txt", "a"), io.Discard) // so that BuildKit runs
	o := project(t, "FROM shell:1\nRUN --mount=type=secret,id=word cat /run/secrets/word && write /made here\nCOPY a.txt /\n", "a.txt", "a")
	o.Dockerfile.Secrets = map[string][]byte{"word": []byte("secret word")}
	direct := f.build(t, o, io.Discard)
	socket := f.serve(t, "io.containerd.snapshotter.v1")
	b := buildkit.New(buildkit.Config{Getenv: func(key string) string { return map[string]string{"DOCKER_HOST": "unix://" + socket}[key] }})
	built, err := b.Build(t.Context(), o, io.Discard)
	if err != nil || built.Digest != direct.Digest {
		t.Errorf("through Docker %s, %v; directly %s", built.Digest, err, direct.Digest)
	}
	b = buildkit.New(buildkit.Config{Dir: t.TempDir(), Getenv: func(key string) string {
		return map[string]string{buildkit.HostVariable: "unix://" + filepath.Join(f.dir, "run", "buildkitd.sock")}[key]
	}})
	if built, err := b.Build(t.Context(), o, io.Discard); err != nil || built.Digest != direct.Digest {
		t.Errorf("by its address %s, %v; directly %s", built.Digest, err, direct.Digest)
	}
	old := f.serve(t, "overlay2")
	b = buildkit.New(buildkit.Config{Getenv: func(key string) string {
		return map[string]string{"DOCKER_HOST": "unix://" + old, buildkit.ProgramVariable: ""}[key]
	}})
	t.Setenv("PATH", t.TempDir())
	_, err = b.Build(t.Context(), o, io.Discard)
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "containerd-snapshotter") || !strings.Contains(fault.HintOf(err), buildkit.HostVariable) {
		t.Errorf("an old image store: %v (%s)", err, fault.HintOf(err))
	}
}

func (f *fixture) serve(t *testing.T, store string) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(endpoint{kit: filepath.Join(f.dir, "run", "buildkitd.sock"), store: store})
	_ = s.Listener.Close()
	s.Listener = l
	s.Config.ReadHeaderTimeout = 10 * time.Second
	s.Start()
	t.Cleanup(s.Close)
	return socket
}
