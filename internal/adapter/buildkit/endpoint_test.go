package buildkit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func digestOf(b port.BuiltImage) digest.Digest { return digest.Digest(b.Digest) }

func builder(t *testing.T, env map[string]string) *Builder {
	t.Helper()
	return New(Config{Dir: filepath.Join(t.TempDir(), "buildkit"), Getenv: func(key string) string { return env[key] }})
}

// TestBuilder_NoBuildKit: planning and building return one error, which says how to get
// BuildKit.
func TestBuilder_NoBuildKit(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	b := builder(t, map[string]string{dockerVariable: "unix:///nowhere/docker.sock"})
	o := porttest.DockerProject(t, map[string]string{"Dockerfile": porttest.FromScratch})
	_, buildErr := b.Build(t.Context(), o, io.Discard)
	_, planErr := b.Fingerprint(t.Context())
	for name, err := range map[string]error{"Build": buildErr, "Fingerprint": planErr} {
		t.Run(name, func(t *testing.T) {
			if !fault.Is(err, fault.Unavailable) {
				t.Errorf("%s = %v, want an error of kind %v", name, err, fault.Unavailable)
			}
			for _, want := range []string{HostVariable, "Docker", "buildkitd"} {
				if hint := fault.HintOf(err); !strings.Contains(hint, want) {
					t.Errorf("hint %q does not contain %q", hint, want)
				}
			}
		})
	}
	if entries, err := filepath.Glob(filepath.Dir(b.c.Dir) + "/*"); err != nil || len(entries) > 0 {
		t.Errorf("files beside the builder's folder = %v, %v, want none", entries, err)
	}
	if err := b.Stop(t.Context()); err != nil {
		t.Errorf("Stop without a daemon = %v, want nil", err)
	}
}

func TestParseEndpoint(t *testing.T) {
	secret := &port.Dockerfile{Secrets: map[string][]byte{"a": []byte("b")}}
	for host, want := range map[string]fault.Kind{
		"buildkit": fault.Invalid, "://x": fault.Invalid,
		"tcp://buildkit.example.com:1234": fault.Denied,
		"tcp://127.0.0.1:1234":            "", "tcp://[::1]:1234": "", "tcp://localhost:1234": "", "unix:///x.sock": "", "docker-container://x": "",
	} {
		t.Run(host, func(t *testing.T) {
			e, err := parseEndpoint(host, "")
			if err == nil {
				err = e.checkSecrets(secret)
			}
			if want == "" {
				if err != nil {
					t.Errorf("parseEndpoint and checkSecrets = %v, want nil", err)
				}
				return
			}
			if !fault.Is(err, want) {
				t.Errorf("parseEndpoint and checkSecrets = %v, want an error of kind %v", err, want)
			}
			if fault.HintOf(err) == "" {
				t.Errorf("error %v has no hint", err)
			}
		})
	}
	e, err := parseEndpoint("tcp://buildkit.example.com:1234", "/certificates")
	if err != nil {
		t.Fatalf("parseEndpoint with certificates: %v", err)
	}
	if err := e.checkSecrets(secret); err != nil {
		t.Errorf("checkSecrets with certificates = %v, want nil", err)
	}
	if len(e.options) != 2 {
		t.Errorf("got %d options with certificates, want 2", len(e.options))
	}
	if _, err := builder(t, map[string]string{HostVariable: "tcp://127.0.0.1:1", TLSVariable: t.TempDir()}).Fingerprint(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Fingerprint with missing certificates = %v, want an error of kind %v", err, fault.Unavailable)
	}
}

func TestFingerprint_DeadAddress(t *testing.T) {
	t.Run("no server", func(t *testing.T) {
		socket := filepath.Join(t.TempDir(), "x.sock")
		_, err := builder(t, map[string]string{HostVariable: "unix://" + socket}).Fingerprint(t.Context())
		if !fault.Is(err, fault.Unavailable) {
			t.Errorf("Fingerprint = %v, want an error of kind %v", err, fault.Unavailable)
		}
	})
	t.Run("no response", func(t *testing.T) {
		socket := filepath.Join(t.TempDir(), "x.sock")
		l, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		stopped := errors.New("stopped")
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		go func() {
			if c, err := l.Accept(); err == nil {
				_, _ = io.CopyN(io.Discard, c, 1) // the request has begun
				cancel(stopped)
			}
		}()
		if _, err := builder(t, map[string]string{HostVariable: "unix://" + socket}).Fingerprint(ctx); !errors.Is(err, stopped) {
			t.Errorf("Fingerprint = %v, want %v", err, stopped)
		}
	})
}

// TestDockerEngine_Unusable: addresses and servers that are not a usable engine.
func TestDockerEngine_Unusable(t *testing.T) {
	if _, err := dockerEngine(t.Context(), "tcp://127.0.0.1:2375"); err == nil || !strings.Contains(err.Error(), "socket") {
		t.Errorf("dockerEngine of a TCP address = %v, want an error about the socket", err)
	}
	for response, want := range map[string]string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}":   "containerd-snapshotter",
		"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n": "500",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<ht>": "200",
		"nonsense\r\n\r\n": "no engine",
		"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nX-Y: z\r\n\r\n{}": "403",
	} {
		t.Run(response, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "docker.sock")
			l, err := net.Listen("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go respond(l, response)
			if e, err := dockerEngine(t.Context(), "unix://"+socket); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("dockerEngine = %+v, %v, want an error with %q", e, err, want)
			}
			if conn, err := (docker{socket}).hijack(t.Context(), "/grpc", "h2c", nil); err == nil {
				_ = conn.Close()
				t.Error("hijack returned a connection, want an error")
			}
		})
	}
}

// respond sends the response to every client until l is closed.
func respond(l net.Listener, response string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = c.Read(make([]byte, 4096))
		_, _ = io.WriteString(c, response)
		_ = c.Close()
	}
}

func TestRedactor(t *testing.T) {
	h := newRedactor(map[string][]byte{"a": []byte("abcdef"), "b": []byte("abcdefgh"), "c": []byte("x"), "d": []byte("first line\n  second line  \n"), "e": nil})
	if got := h.Text("abcdefgh abcdef x first line second line"); got != "*** *** x *** ***" {
		t.Errorf("redacted text = %q, want %q", got, "*** *** x *** ***")
	}
	if got := newRedactor(nil).Text("as it is"); got != "as it is" {
		t.Errorf("text without secrets = %q, want %q", got, "as it is")
	}
}

// TestSourceFS_Modes: the umask of a checkout does not reach BuildKit.
func TestSourceFS_Modes(t *testing.T) {
	o := porttest.DockerProject(t, map[string]string{"plain": "p", "program": "x", "sub/deep": "d"})
	for name, mode := range map[string]os.FileMode{"plain": 0o600, "program": 0o700, "sub": 0o700} {
		if err := os.Chmod(filepath.Join(o.Dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	all, err := sourceFS(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	err = all.Walk(t.Context(), "", func(_ string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			got.WriteString(info.Mode().String() + " " + d.Name() + "\n")
		}
		return err
	})
	if err != nil {
		t.Errorf("walk the files: %v", err)
	}
	want := "-rw-r--r-- plain\n-rwxr-xr-x program\ndrwxr-xr-x sub\n-rw-r--r-- deep\n"
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("modes of the files (-want +got):\n%s", diff)
	}
}
