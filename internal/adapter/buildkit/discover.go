package buildkit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moby/buildkit/client"
	_ "github.com/moby/buildkit/client/connhelper/dockercontainer" // docker-container://
	_ "github.com/moby/buildkit/client/connhelper/kubepod"         // kube-pod://
	_ "github.com/moby/buildkit/client/connhelper/podmancontainer" // podman-container://
	_ "github.com/moby/buildkit/client/connhelper/ssh"             // ssh://

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// connectTimeout is how long a BuildKit may take to respond with its version.
const connectTimeout = 10 * time.Second

// endpoint finds a BuildKit: the one that the user names, Docker's own, or one to
// start. The answer stays the same for this process.
func (b *Builder) endpoint(ctx context.Context) (*endpoint, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cached != nil {
		return b.cached, nil
	}
	e, err := b.discover(ctx)
	if err == nil {
		b.cached = e
	}
	return e, err
}

func (b *Builder) discover(ctx context.Context) (*endpoint, error) {
	if host := b.c.Getenv(HostVariable); host != "" {
		return parseEndpoint(host, b.c.Getenv(TLSVariable))
	}
	docker, why := dockerEngine(ctx, b.c.Getenv(dockerVariable))
	if docker != nil {
		return docker, nil
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("find BuildKit: %w", context.Cause(ctx))
	}
	program, err := findDaemon(b.c.Getenv(ProgramVariable))
	if err != nil {
		return nil, notFoundError(why, err)
	}
	d := b.daemon(program)
	if _, err := parseMirrors(d.mirrors); err != nil {
		return nil, err
	}
	return &endpoint{name: "BuildKit in " + d.dir, daemon: d, local: true}, nil
}

// notFoundError explains how to get a builder.
func notFoundError(docker, own error) error {
	ways := "set " + HostVariable + " to the address of a BuildKit, start Docker (with its containerd image store), " +
		"or put buildkitd and runc into PATH (https://github.com/moby/buildkit/releases) and Slipway starts it"
	return fault.New(fault.Unavailable, "find a BuildKit to build the Dockerfile with").
		Cause(fmt.Errorf("%s is not set; Docker: %w; buildkitd: %w", HostVariable, docker, own)).Hint("%s", ways)
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
		e.cleartext = !isLoopback(u.Hostname())
		return e, nil
	}
	e.options = []client.ClientOpt{
		client.WithServerConfig(u.Hostname(), filepath.Join(certificates, "ca.pem")),
		client.WithCredentials(filepath.Join(certificates, "cert.pem"), filepath.Join(certificates, "key.pem")),
	}
	return e, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// checkSecrets refuses to send secrets over an open line.
func (e *endpoint) checkSecrets(d *port.Dockerfile) error {
	if !e.cleartext || len(d.Secrets) == 0 && !d.SSH {
		return nil
	}
	return fault.New(fault.Denied, "send the build's secrets to %s: the connection is not encrypted", e.name).
		Hint("set %s to a folder with ca.pem, cert.pem and key.pem", TLSVariable)
}

// source is where an order's files are.
type source struct {
	context string // folder, absolute
	dir     string // folder of the Dockerfile, absolute
	file    string // its name there
}

// resolveSource looks at the order before BuildKit is asked: what is wrong with the
// configuration is said in the user's words. Links may not lead out of the checkout.
func resolveSource(o port.BuildRequest) (source, error) {
	d := o.Dockerfile
	if d == nil {
		return source{}, fault.New(fault.Internal, "build %s: the request has no Dockerfile", o.Service)
	}
	file, err := resolveInside(o.Dir, d.Path)
	info, statErr := os.Stat(file)
	switch {
	case d.Path == "" || errors.Is(err, errOutside):
		return source{}, fault.New(fault.Invalid, "image.build.dockerfile: invalid path %q", d.Path).
			Hint("use a path relative to the repository root, such as server/Dockerfile")
	case err != nil || statErr != nil || !info.Mode().IsRegular():
		return source{}, fault.New(fault.Invalid, "image.build.dockerfile: file %s not found", d.Path).
			Hint("use a path relative to the repository root, such as server/Dockerfile; is it committed?")
	}
	folder, err := resolveInside(o.Dir, d.Context)
	info, statErr = os.Stat(folder)
	if err != nil || statErr != nil || !info.IsDir() {
		return source{}, fault.New(fault.Invalid, "image.build.context: folder %s not found in the repository", d.Context).
			Hint("use a path relative to the repository root; is a file in it committed?")
	}
	return source{context: folder, dir: filepath.Dir(file), file: filepath.Base(file)}, nil
}

var errOutside = errors.New("outside of the repository")

// resolveInside follows links from root to rel, which has to stay below it.
func resolveInside(root, rel string) (string, error) {
	if rel == "" {
		rel = "."
	}
	if !filepath.IsLocal(filepath.FromSlash(rel)) {
		return "", errOutside
	}
	top, err := filepath.EvalSymlinks(root)
	if err != nil {
		return "", err
	}
	full, err := filepath.EvalSymlinks(filepath.Join(top, filepath.FromSlash(rel)))
	if err != nil {
		return "", err
	}
	if full != top && !strings.HasPrefix(full, top+string(filepath.Separator)) {
		return "", errOutside
	}
	return full, nil
}
