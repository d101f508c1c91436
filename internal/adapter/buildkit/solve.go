package buildkit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/docker/cli/cli/config"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth/authprovider"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"github.com/moby/buildkit/session/sshforward/sshprovider"
	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/redact"
)

// fileTime is the latest time that a file in a layer may bear. It is the same for
// every commit, not the commit's own: so a layer whose content did not change
// keeps its digest and is not pushed again, whenever and wherever it was made. The
// image itself says the commit's time. WORKDIR and Python's compiled files take
// it, too, by SOURCE_DATE_EPOCH; a new one for each commit would undo the cache.
func fileTime() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

// epochArgument is how commands and BuildKit hear of that time.
const epochArgument = "SOURCE_DATE_EPOCH"

// buildJob is one build.
type buildJob struct {
	client   *client.Client
	order    port.BuildRequest
	source   source
	redactor *redact.Redactor
	cacheDir string // folder that remembers what layers became
	local    bool   // BuildKit is on this machine
}

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
		err = replaceDir(partial, w.order.Layout)
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
	if ref := w.order.Dockerfile.Cache; ref != "" {
		o.CacheImports = []client.CacheOptionsEntry{{Type: "registry", Attrs: map[string]string{"ref": ref}}}
		o.CacheExports = []client.CacheOptionsEntry{{Type: "registry", Attrs: map[string]string{
			"ref": ref, "mode": "max", "oci-mediatypes": "true", "image-manifest": "true",
		}}}
	}
	return o, nil
}

// compression is how layers travel; they are compressed here, whatever they come
// as. Over a network, and for a cache in a registry, bytes are dear.
func (w buildJob) compression() string {
	if w.local && w.order.Dockerfile.Cache == "" {
		return "uncompressed"
	}
	return "gzip"
}

// attributes are what the Dockerfile's frontend reads. There is no attestation
// among them: provenance is Slipway's own.
func (w buildJob) attributes() map[string]string {
	d := w.order.Dockerfile
	a := map[string]string{"filename": w.source.file}
	for key, value := range d.Args {
		a["build-arg:"+key] = value
	}
	if _, own := d.Args[epochArgument]; !own {
		a["build-arg:"+epochArgument] = strconv.FormatInt(fileTime().Unix(), 10)
	}
	if d.Target != "" {
		a["target"] = d.Target
	}
	if len(d.Platforms) > 0 {
		a["platform"] = strings.Join(d.Platforms, ",")
	}
	return a
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

// sharedKey keeps one checkout's files apart from another's, so that only what
// changed is sent again.
func sharedKey(dir string) string {
	host, _ := os.Hostname()
	sum := sha256.Sum256([]byte(host + "\x00" + dir))
	return hex.EncodeToString(sum[:16])
}

// sourceFS is a folder as git knows it: modes that depend on who checked it out, and
// attributes of this machine's file system, must not become part of the image.
func sourceFS(dir string) (fsutil.FS, error) {
	all, err := fsutil.NewFS(dir)
	if err != nil {
		return nil, err
	}
	return fsutil.NewFilterFS(all, &fsutil.FilterOpt{Map: func(_ string, s *types.Stat) fsutil.MapResult {
		switch mode := fs.FileMode(s.Mode); {
		case mode.IsDir():
			s.Mode = uint32(fs.ModeDir | 0o755)
		case mode.IsRegular() && mode&0o100 != 0:
			s.Mode = 0o755
		case mode.IsRegular():
			s.Mode = 0o644
		}
		s.Xattrs = nil
		return fsutil.MapResultKeep
	}})
}

// imageOrigin say where the image comes from, in the words of the OCI specification.
func (w buildJob) imageOrigin() origin {
	o, files := w.order, fileTime()
	if own, err := strconv.ParseInt(o.Dockerfile.Args[epochArgument], 10, 64); err == nil {
		files = time.Unix(own, 0).UTC()
	}
	at := o.Commit.Time.UTC().Truncate(time.Second)
	n := map[string]string{
		"org.opencontainers.image.title":    o.Service,
		"org.opencontainers.image.revision": o.Commit.SHA,
		"org.opencontainers.image.created":  at.Format(time.RFC3339),
	}
	if o.Commit.Source != "" {
		n["org.opencontainers.image.source"] = o.Commit.Source
	}
	if o.Commit.Dirty {
		n["dev.slipway.tree"] = o.Commit.Tree // the revision alone would not say what was built
	}
	return origin{created: at, files: files, labels: n}
}

func replaceDir(partial, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(partial, dir)
}

func progressFunc(o port.BuildRequest) func(string) {
	if o.OnProgress == nil {
		return func(string) {}
	}
	return o.OnProgress
}
