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

// TestNoBuilder: one error that says how to get one, for planning and building alike.
func TestNoBuilder(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	b := builder(t, map[string]string{dockerVariable: "unix:///nowhere/docker.sock"})
	o := porttest.DockerProject(t, map[string]string{"Dockerfile": porttest.FromScratch})
	_, buildErr := b.Build(t.Context(), o, io.Discard)
	_, planErr := b.Fingerprint(t.Context())
	for _, err := range []error{buildErr, planErr} {
		hint := fault.HintOf(err)
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(hint, HostVariable) || !strings.Contains(hint, "Docker") || !strings.Contains(hint, "buildkitd") {
			t.Errorf("%v (%s)", err, hint)
		}
	}
	if entries, err := filepath.Glob(filepath.Dir(b.c.Dir) + "/*"); err != nil || len(entries) > 0 {
		t.Errorf("something was made: %v, %v", entries, err)
	}
	if err := b.Stop(t.Context()); err != nil {
		t.Errorf("stop what never ran: %v", err)
	}
}

func TestAddresses(t *testing.T) {
	secret := &port.Dockerfile{Secrets: map[string][]byte{"a": []byte("b")}}
	for host, want := range map[string]fault.Kind{
		"buildkit": fault.Invalid, "://x": fault.Invalid,
		"tcp://buildkit.example.com:1234": fault.Denied,
		"tcp://127.0.0.1:1234":            "", "tcp://[::1]:1234": "", "tcp://localhost:1234": "", "unix:///x.sock": "", "docker-container://x": "",
	} {
		e, err := parseEndpoint(host, "")
		if err == nil {
			err = e.checkSecrets(secret)
		}
		if want == "" && err != nil || want != "" && (!fault.Is(err, want) || fault.HintOf(err) == "") {
			t.Errorf("%s: %v, want %q", host, err, want)
		}
	}
	e, err := parseEndpoint("tcp://buildkit.example.com:1234", "/certificates")
	if err != nil || e.checkSecrets(secret) != nil || len(e.options) != 2 {
		t.Errorf("with certificates: %+v, %v", e, err)
	}
	if _, err := builder(t, map[string]string{HostVariable: "tcp://127.0.0.1:1", TLSVariable: t.TempDir()}).Fingerprint(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("certificates that are not there: %v", err)
	}
}

// TestDeadAddress: nobody is there, or somebody who does not speak.
func TestDeadAddress(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "x.sock")
	for name, listen := range map[string]bool{"nobody": false, "mute": true} {
		ctx, cancel := context.WithCancelCause(t.Context())
		if listen {
			l, err := net.Listen("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				if c, err := l.Accept(); err == nil {
					_, _ = io.CopyN(io.Discard, c, 1) // it has heard something, and says nothing
					cancel(errStopped)
				}
			}()
		}
		_, err := builder(t, map[string]string{HostVariable: "unix://" + socket}).Fingerprint(ctx)
		if listen && !errors.Is(err, errStopped) || !listen && !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s: %v", name, err)
		}
		cancel(nil)
	}
}

var errStopped = errors.New("stopped")

// TestDockerEngines: what stands for Docker's engine but is of no use.
func TestDockerEngines(t *testing.T) {
	if _, err := dockerEngine(t.Context(), "tcp://127.0.0.1:2375"); err == nil || !strings.Contains(err.Error(), "socket") {
		t.Errorf("an address: %v", err)
	}
	for answer, want := range map[string]string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}":   "containerd-snapshotter",
		"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n": "500",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<ht>": "200",
		"nonsense\r\n\r\n": "no engine",
		"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nX-Y: z\r\n\r\n{}": "403",
	} {
		socket := filepath.Join(t.TempDir(), "docker.sock")
		l, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = c.Read(make([]byte, 4096))
				_, _ = io.WriteString(c, answer)
				_ = c.Close()
			}
		}()
		if e, err := dockerEngine(t.Context(), "unix://"+socket); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v", answer, e, err)
		}
		if conn, err := (docker{socket}).hijack(t.Context(), "/grpc", "h2c", nil); err == nil {
			_ = conn.Close()
			t.Errorf("%q: it was taken for a connection", answer)
		}
		_ = l.Close()
	}
}

func TestHush(t *testing.T) {
	h := newRedactor(map[string][]byte{"a": []byte("abcdef"), "b": []byte("abcdefgh"), "c": []byte("x"), "d": []byte("first line\n  second line  \n"), "e": nil})
	if got := h.Text("abcdefgh abcdef x first line second line"); got != "*** *** x *** ***" {
		t.Errorf("%q", got)
	}
	if got := newRedactor(nil).Text("as it is"); got != "as it is" {
		t.Errorf("%q", got)
	}
}

// TestTreeModes: what BuildKit gets does not depend on who checked it out.
func TestTreeModes(t *testing.T) {
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
	var seen bytes.Buffer
	err = all.Walk(t.Context(), "", func(_ string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			seen.WriteString(info.Mode().String() + " " + d.Name() + "\n")
		}
		return err
	})
	if want := "-rw-r--r-- plain\n-rwxr-xr-x program\ndrwxr-xr-x sub\n-rw-r--r-- deep\n"; err != nil || seen.String() != want {
		t.Errorf("%v\n%s", err, seen.String())
	}
}
