package buildkit

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/moby/buildkit/client"
	_ "github.com/moby/buildkit/client/connhelper/dockercontainer" // docker-container://
	_ "github.com/moby/buildkit/client/connhelper/kubepod"         // kube-pod://
	_ "github.com/moby/buildkit/client/connhelper/podmancontainer" // podman-container://
	_ "github.com/moby/buildkit/client/connhelper/ssh"             // ssh://

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/loopback"
	"github.com/slipway-cd/slipway/internal/port"
)

// connectTimeout is how long a BuildKit may take to respond with its version.
const connectTimeout = 10 * time.Second

// endpoint is a BuildKit that can be reached, or started.
type endpoint struct {
	name      string // for people
	address   string // of client.New
	cleartext bool   // plain text would leave this machine
	options   []client.ClientOpt
	daemon    *daemon // ours to start
	local     bool    // it is on this machine
}

// parseEndpoint returns the BuildKit at an address that the user configured.
func parseEndpoint(host, certificates string) (*endpoint, error) {
	u, err := url.Parse(host)
	if err != nil || u.Scheme == "" {
		return nil, fault.New(fault.Invalid, "%s: invalid address %q", HostVariable, host).
			Hint("such as unix:///run/buildkit/buildkitd.sock or tcp://buildkit.example.com:1234")
	}
	e := &endpoint{name: "BuildKit at " + u.Redacted(), address: host, local: u.Scheme == "unix"}
	if u.Scheme != "tcp" {
		return e, nil
	}
	if certificates == "" {
		e.cleartext = !loopback.IsHost(u.Hostname())
		return e, nil
	}
	e.options = []client.ClientOpt{
		client.WithServerConfig(u.Hostname(), filepath.Join(certificates, "ca.pem")),
		client.WithCredentials(filepath.Join(certificates, "cert.pem"), filepath.Join(certificates, "key.pem")),
	}
	return e, nil
}

// checkSecrets refuses to send secrets over an open line.
func (e *endpoint) checkSecrets(d *port.Dockerfile) error {
	if !e.cleartext || len(d.Secrets) == 0 && !d.SSH {
		return nil
	}
	return fault.New(fault.Denied, "send the build's secrets to %s: the connection is not encrypted", e.name).
		Hint("set %s to a folder with ca.pem, cert.pem and key.pem", TLSVariable)
}

// version returns the version without starting anything.
func (e *endpoint) version(ctx context.Context) (string, error) {
	if e.daemon != nil {
		return e.daemon.version(ctx)
	}
	c, err := e.dial(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	return e.queryVersion(ctx, c)
}

// connect returns a client of a BuildKit that responds, and its version. release closes
// the client.
func (e *endpoint) connect(ctx context.Context, say func(string)) (c *client.Client, version string, release func(), err error) {
	done := func() {}
	if e.daemon != nil {
		if done, err = e.daemon.acquire(ctx, say); err != nil {
			return nil, "", nil, err
		}
	}
	if c, err = e.dial(ctx); err != nil {
		done()
		return nil, "", nil, err
	}
	if version, err = e.queryVersion(ctx, c); err != nil {
		_ = c.Close()
		done()
		return nil, "", nil, err
	}
	return c, version, func() { _ = c.Close(); done() }, nil
}

func (e *endpoint) dial(ctx context.Context) (*client.Client, error) {
	address := e.address
	if e.daemon != nil {
		address = e.daemon.address()
	}
	c, err := client.New(ctx, address, e.options...)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "connect to %s", e.name).Cause(err).
			Hint("check %s", HostVariable)
	}
	return c, nil
}

// queryVersion wants an answer within patience: a dead address would wait for ever.
func (e *endpoint) queryVersion(ctx context.Context, c *client.Client) (string, error) {
	short, cancel := context.WithTimeoutCause(ctx, connectTimeout, fmt.Errorf("no response within %s", connectTimeout))
	defer cancel()
	info, err := c.Info(short)
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("connect to %s: %w", e.name, context.Cause(ctx))
	case err == nil && info.BuildkitVersion.Version != "":
		return info.BuildkitVersion.Version, nil
	case err == nil:
		return "unknown", nil
	}
	return "", fault.New(fault.Unavailable, "connect to %s", e.name).Cause(connectionError(err)).
		Hint("is it running? Check with `buildctl --addr %s debug info`", e.address)
}
