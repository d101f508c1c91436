package buildkit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/moby/buildkit/client"
)

// dockerTimeout is how long Docker's engine may take to respond.
const dockerTimeout = 3 * time.Second

// dockerEngine returns the BuildKit inside Docker's engine, or why it can't be
// used.
func dockerEngine(ctx context.Context, host string) (*endpoint, error) {
	if host == "" {
		host = "unix://" + dockerSocket
	}
	path, ok := strings.CutPrefix(host, "unix://")
	if !ok {
		return nil, fmt.Errorf("%s=%s is not a local socket", dockerVariable, host)
	}
	d := docker{socket: path}
	if err := d.check(ctx); err != nil {
		return nil, err
	}
	return &endpoint{name: "Docker's BuildKit", address: host, local: true, options: []client.ClientOpt{
		client.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return d.hijack(ctx, "/grpc", "h2c", nil)
		}),
		client.WithSessionDialer(func(ctx context.Context, proto string, meta map[string][]string) (net.Conn, error) {
			return d.hijack(ctx, "/session", proto, meta)
		}),
	}}, nil
}

type docker struct{ socket string }

func (d docker) dial(ctx context.Context) (net.Conn, error) {
	var dialer net.Dialer
	return dialer.DialContext(ctx, "unix", d.socket)
}

// check returns an error if the engine does not respond or can't export OCI
// images, as with its old image store.
func (d docker) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, dockerTimeout, errors.New("the engine is not responding"))
	defer cancel()
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return d.dial(ctx) },
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker/info", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return fmt.Errorf("no engine at %s", d.socket)
	}
	defer resp.Body.Close()
	var info struct {
		DriverStatus [][2]string
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 4<<20)).Decode(&info); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the engine at %s returned %s", d.socket, resp.Status)
	}
	for _, s := range info.DriverStatus {
		if s[0] == "driver-type" && strings.HasPrefix(s[1], "io.containerd.snapshotter") {
			return nil
		}
	}
	return errors.New(`its engine can't export OCI images: turn on its containerd image store ("features": {"containerd-snapshotter": true} in daemon.json)`)
}

// hijack makes a plain connection out of a request to the engine.
func (d docker) hijack(ctx context.Context, path, proto string, meta map[string][]string) (net.Conn, error) {
	conn, err := d.dial(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	in, err := upgrade(ctx, conn, path, proto, meta)
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("open %s of Docker's engine: %w", path, err)
	}
	return hijackedConn{conn, in}, nil
}

func upgrade(ctx context.Context, conn net.Conn, path, proto string, meta map[string][]string) (*bufio.Reader, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://docker"+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	for key, values := range meta {
		req.Header[http.CanonicalHeaderKey(key)] = values
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", proto)
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("the engine returned %s", resp.Status)
	}
	return in, nil
}

// hijackedConn reads first what came together with the answer.
type hijackedConn struct {
	net.Conn
	in *bufio.Reader
}

func (h hijackedConn) Read(p []byte) (int, error) { return h.in.Read(p) }

// CloseWrite ends our side alone, as the session's server wants it.
func (h hijackedConn) CloseWrite() error {
	if half, ok := h.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
