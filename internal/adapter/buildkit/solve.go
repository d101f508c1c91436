package buildkit

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/docker/cli/cli/config"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth/authprovider"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"github.com/moby/buildkit/session/sshforward/sshprovider"
	"github.com/tonistiigi/fsutil"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/ocilayout"
	"github.com/slipway-cd/slipway/internal/port"
)

func (w buildJob) build(ctx context.Context, log io.Writer) (port.BuiltImage, error) {
	act := fmt.Sprintf("build %s of %s", w.order.Dockerfile.Path, w.order.Service)
	partial := w.order.Layout + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return port.BuiltImage{}, fmt.Errorf("%s: %w", act, err)
	}
	defer os.RemoveAll(partial)
	about := w.imageOrigin()
	out, err := newStore(partial, filepath.Dir(w.order.Layout), layerCache{dir: w.cacheDir, latest: about.files})
	if err != nil {
		return port.BuiltImage{}, w.toFault(ctx, act, err, nil)
	}
	opt, err := w.options(out)
	if err != nil {
		return port.BuiltImage{}, err
	}
	seen := newProgress(log, w.redactor, progressFunc(w.order))
	resp, err := w.solve(ctx, opt, seen)
	if err != nil {
		return port.BuiltImage{}, w.toFault(ctx, act, err, seen)
	}
	built, err := finishLayout(ctx, out, delivery.Digest(resp.ExporterResponse["containerimage.digest"]), about)
	if err == nil {
		err = ocilayout.Layout(w.order.Layout).Replace(partial)
	}
	if err != nil {
		return port.BuiltImage{}, w.toFault(ctx, act, fmt.Errorf("write the image's layout: %w", err), seen)
	}
	built.Layout, built.Bases = filepath.Clean(w.order.Layout), seen.bases()
	return built, nil
}

// solve lets BuildKit work. When ctx ends, it returns at once: what the library
// still has to tidy up, it does alone, and nothing of it is heard any more.
func (w buildJob) solve(ctx context.Context, opt client.SolveOpt, seen *progress) (*client.SolveResponse, error) {
	type answer struct {
		resp *client.SolveResponse
		err  error
	}
	done := make(chan answer, 1)
	updates := make(chan *client.SolveStatus)
	told := make(chan struct{})
	go func() { defer close(told); seen.consume(updates) }()
	go func() {
		resp, err := w.client.Solve(ctx, nil, opt, updates)
		<-told
		done <- answer{resp, err}
	}()
	select {
	case a := <-done:
		return a.resp, a.err
	case <-ctx.Done():
		seen.stop()
		return nil, context.Cause(ctx)
	}
}

// options say what to build, and where everything comes from and goes to.
func (w buildJob) options(out *store) (client.SolveOpt, error) {
	files, err := sourceFS(w.source.context)
	if err != nil {
		return client.SolveOpt{}, err
	}
	dockerfile, err := sourceFS(w.source.dir)
	if err != nil {
		return client.SolveOpt{}, err
	}
	attached, err := w.session()
	if err != nil {
		return client.SolveOpt{}, err
	}
	o := client.SolveOpt{
		Frontend:      "dockerfile.v0",
		FrontendAttrs: w.attributes(),
		LocalMounts:   map[string]fsutil.FS{"context": files, "dockerfile": dockerfile},
		SharedKey:     sharedKey(w.source.context),
		Session:       attached,
		Internal:      true, // BuildKit's history would keep what commands print, secrets among it
		Exports: []client.ExportEntry{{Type: client.ExporterOCI, OutputStore: out, Attrs: map[string]string{
			"tar": "false", "oci-mediatypes": "true", "compression": w.compression(),
		}}},
	}
	o.CacheImports, o.CacheExports = sharedCache(w.order.Dockerfile.Cache, w.order.CacheDir)
	return o, nil
}

// session is what BuildKit may ask of us while it builds.
func (w buildJob) session() ([]session.Attachable, error) {
	docker, err := config.Load(config.Dir())
	if err != nil {
		return nil, fault.New(fault.Invalid, "read the registry credentials from Docker's configuration").Cause(err).
			Hint("fix config.json in %s", config.Dir())
	}
	attached := []session.Attachable{
		authprovider.NewDockerAuthProvider(authprovider.DockerAuthProviderConfig{AuthConfigProvider: authprovider.LoadAuthConfig(docker)}),
		secretsprovider.FromMap(w.order.Dockerfile.Secrets),
	}
	if !w.order.Dockerfile.SSH {
		return attached, nil
	}
	agent := os.Getenv(agentVariable)
	if agent == "" {
		return nil, fault.New(fault.Invalid, "image.build.ssh: no SSH agent found").
			Hint("start one (`eval $(ssh-agent)`, `ssh-add`), so that %s is set", agentVariable)
	}
	forward, err := sshprovider.NewSSHAgentProvider([]sshprovider.AgentConfig{{Paths: []string{agent}}})
	if err != nil {
		return nil, fault.New(fault.Unavailable, "image.build.ssh: connect to the SSH agent at %s", agent).
			Hint("is it still running? Check with `ssh-add -l`").Cause(connectionError(err))
	}
	return append(attached, forward), nil
}
