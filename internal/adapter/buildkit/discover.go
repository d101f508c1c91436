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

// patience is how long a BuildKit may take to say who it is.
const patience = 10 * time.Second

// engine finds a BuildKit: the one that the user names, Docker's own, or one to
// start. The answer stays the same for this process.
func (b *Builder) engine(ctx context.Context) (*engine, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known != nil {
		return b.known, nil
	}
	e, err := b.look(ctx)
	if err == nil {
		b.known = e
	}
	return e, err
}

func (b *Builder) look(ctx context.Context) (*engine, error) {
	if host := b.c.Getenv(HostVariable); host != "" {
		return named(host, b.c.Getenv(TLSVariable))
	}
	docker, why := dockerEngine(ctx, b.c.Getenv(dockerVariable))
	if docker != nil {
		return docker, nil
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("look for BuildKit: %w", context.Cause(ctx))
	}
	program, err := findDaemon(b.c.Getenv(ProgramVariable))
	if err != nil {
		return nil, none(why, err)
	}
	d := b.daemon(program)
	if _, err := parseMirrors(d.mirrors); err != nil {
		return nil, err
	}
	return &engine{name: "the BuildKit of " + d.dir, own: d, near: true}, nil
}

// none says how to get a builder.
func none(docker, own error) error {
	ways := "set " + HostVariable + " to a BuildKit's address, start Docker (with its containerd image store), " +
		"or put buildkitd and runc into PATH (https://github.com/moby/buildkit/releases) and Slipway starts it"
	return fault.New(fault.Unavailable, "find a BuildKit to build the Dockerfile with").
		Cause(fmt.Errorf("%s is not set; Docker: %w; buildkitd: %w", HostVariable, docker, own)).Hint("%s", ways)
}

// named is the BuildKit at an address of the user's.
func named(host, certificates string) (*engine, error) {
	u, err := url.Parse(host)
	if err != nil || u.Scheme == "" {
		return nil, fault.New(fault.Invalid, "%s: %q is no address", HostVariable, host).
			Hint("such as unix:///run/buildkit/buildkitd.sock or tcp://buildkit.example.com:1234")
	}
	e := &engine{name: "BuildKit at " + u.Redacted(), address: host, near: u.Scheme == "unix"}
	if u.Scheme != "tcp" {
		return e, nil
	}
	if certificates == "" {
		e.remote = !loopback(u.Hostname())
		return e, nil
	}
	e.options = []client.ClientOpt{
		client.WithServerConfig(u.Hostname(), filepath.Join(certificates, "ca.pem")),
		client.WithCredentials(filepath.Join(certificates, "cert.pem"), filepath.Join(certificates, "key.pem")),
	}
	return e, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// trusts refuses to send secrets over an open line.
func (e *engine) trusts(d *port.Dockerfile) error {
	if !e.remote || len(d.Secrets) == 0 && !d.SSH {
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

// find looks at the order before BuildKit is asked: what is wrong with the
// configuration is said in the user's words. Links may not lead out of the checkout.
func find(o port.BuildRequest) (source, error) {
	d := o.Dockerfile
	if d == nil {
		return source{}, fault.New(fault.Internal, "build %s: there is no Dockerfile in the order", o.Service)
	}
	file, err := inside(o.Dir, d.Path)
	info, statErr := os.Stat(file)
	switch {
	case d.Path == "" || errors.Is(err, errOutside):
		return source{}, fault.New(fault.Invalid, "image.build.dockerfile: %q is no file of the repository", d.Path).
			Hint("a path from the repository's root, such as server/Dockerfile")
	case err != nil || statErr != nil || !info.Mode().IsRegular():
		return source{}, fault.New(fault.Invalid, "image.build.dockerfile: there is no file %s", d.Path).
			Hint("a path from the repository's root, such as server/Dockerfile; is it committed?")
	}
	folder, err := inside(o.Dir, d.Context)
	info, statErr = os.Stat(folder)
	if err != nil || statErr != nil || !info.IsDir() {
		return source{}, fault.New(fault.Invalid, "image.build.context: there is no folder %s in the repository", d.Context).
			Hint("a path from the repository's root; is a file of it committed?")
	}
	return source{context: folder, dir: filepath.Dir(file), file: filepath.Base(file)}, nil
}

var errOutside = errors.New("outside of the repository")

// inside follows links from root to rel, which has to stay below it.
func inside(root, rel string) (string, error) {
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
