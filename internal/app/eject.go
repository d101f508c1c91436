package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/ocilayout"
	"github.com/slipway-cd/slipway/internal/port"
)

// EjectResult is the result of `slipway eject`.
type EjectResult struct {
	Environment delivery.Environment `json:"environment"`
	Release     delivery.ReleaseID   `json:"release"`
	Image       string               `json:"image"` // by digest
	Model       string               `json:"model,omitempty"`
	Dir         string               `json:"dir"`
	Files       []string             `json:"files"`   // below Dir
	Command     string               `json:"command"` // that starts the service without Slipway
	Notes       []string             `json:"notes,omitempty"`
}

// Eject writes what is deployed in the environment into a new folder, so that it runs
// without Slipway: manifests for a target that has them, or else the image, the model
// and a Compose file. Nothing that runs is changed.
func (a *App) Eject(ctx context.Context, env delivery.Environment, dir string) (out EjectResult, err error) {
	err = a.withSession(ctx, func(s *session) error {
		out, err = s.eject(ctx, env, dir)
		return err
	})
	return out, err
}

func (s *session) eject(ctx context.Context, env delivery.Environment, dir string) (EjectResult, error) {
	target, err := s.target(env)
	if err != nil {
		return EjectResult{}, err
	}
	d, ok, err := s.deps.Deployments.Current(ctx, env)
	switch {
	case err != nil:
		return EjectResult{}, err
	case !ok:
		return EjectResult{}, fault.New(fault.NotFound, "nothing is deployed in %s", env).Hint("deploy a release with `slipway run --env %s`", env)
	}
	saved, err := s.deps.Releases.Get(ctx, d.Release)
	if err != nil {
		return EjectResult{}, err
	}
	rel := saved.Release.WithConfiguration(d.Config)
	if dir == "" {
		dir = "slipway-eject-" + string(env)
	}
	dir = s.app.absolute(dir)
	if err := makeEmptyDir(dir); err != nil {
		return EjectResult{}, err
	}
	out := EjectResult{Environment: env, Release: d.Instance(), Image: s.deps.Reference(rel.Image), Dir: dir, Files: []string{}}
	if rel.Model != nil {
		out.Model = rel.Model.String()
	}
	req := port.DeployRequest{Service: s.project.Service, Environment: env, ID: d.Instance(), Release: rel}
	if e, can := target.(port.Exporter); can {
		err = s.ejectManifests(ctx, e, req, &out)
		return out, err
	}
	err = s.ejectCompose(ctx, req, &out)
	return out, err
}

// makeEmptyDir creates the folder; one with files in it is refused.
func makeEmptyDir(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case err == nil && len(entries) > 0:
		return fault.New(fault.Conflict, "%s is not empty", dir).Hint("name another folder with --dir")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fault.New(fault.Invalid, "write to %s", dir).Cause(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fault.New(fault.Unavailable, "create %s", dir).Cause(err)
	}
	return nil
}

func (s *session) ejectManifests(ctx context.Context, e port.Exporter, req port.DeployRequest, out *EjectResult) error {
	exported, err := e.Export(ctx, req)
	if err != nil {
		return err
	}
	out.Notes, out.Command = exported.Notes, "kubectl apply -f manifests.yaml"
	header := fmt.Sprintf("# %s, release %s of %s as it was deployed. Apply it where Slipway's own objects are\n# gone (slipway down --env %s), or in another namespace.\n", req.Service, req.ID, req.Environment, req.Environment)
	return out.write("manifests.yaml", header+exported.Manifests)
}

// write writes a file into the folder.
func (r *EjectResult) write(name, text string) error {
	r.Files = append(r.Files, name)
	if err := os.WriteFile(filepath.Join(r.Dir, name), []byte(text), 0o644); err != nil {
		return fault.New(fault.Unavailable, "write %s", filepath.Join(r.Dir, name)).Cause(err)
	}
	return nil
}

// ejectCompose writes the image, the model's files and a Compose file that runs them as
// the local target does.
func (s *session) ejectCompose(ctx context.Context, req port.DeployRequest, out *EjectResult) error {
	name := req.Service + ":" + string(req.ID)
	exposed, err := s.saveImage(ctx, req.Release.Image, name, out)
	if err != nil {
		return err
	}
	if m := req.Release.Model; m != nil {
		if err := s.saveModel(ctx, *m, out); err != nil {
			return err
		}
	}
	if req.Release.Workload.Replicas > 1 {
		out.Notes = append(out.Notes, fmt.Sprintf("each of the %d replicas gets its own port, without the proxy of the local target in front of them", req.Release.Workload.Replicas))
	}
	if names := references(req.Release.Workload.Env); len(names) > 0 {
		out.Notes = append(out.Notes, "set these variables before you start it: "+strings.Join(names, ", "))
	}
	out.Command = "docker load -i image.tar && docker compose up -d"
	return out.write("compose.yaml", composeFile(req, name, exposed))
}

// saveImage writes image.tar for docker load, and returns the only port that the image
// exposes.
func (s *session) saveImage(ctx context.Context, img delivery.Image, name string, out *EjectResult) (exposed int, err error) {
	dir, err := os.MkdirTemp(out.Dir, ".layout-")
	if err != nil {
		return 0, fault.New(fault.Unavailable, "create a folder in %s", out.Dir).Cause(err)
	}
	defer os.RemoveAll(dir)
	if err := s.deps.Images.Download(ctx, img, dir); err != nil {
		return 0, err
	}
	layout := ocilayout.Layout(dir)
	f, err := os.Create(filepath.Join(out.Dir, "image.tar"))
	if err == nil {
		err = errors.Join(layout.WriteArchive(f, img.Digest, name), f.Close())
	}
	if err != nil {
		return 0, fault.New(fault.Unavailable, "write %s", filepath.Join(out.Dir, "image.tar")).Cause(err)
	}
	out.Files = append(out.Files, "image.tar")
	return exposedPort(layout, img.Digest), nil
}

// exposedPort returns the only port that an image exposes; 0 if that is not one.
func exposedPort(l ocilayout.Layout, d delivery.Digest) int {
	images, err := l.Images(d)
	if err != nil {
		return 0
	}
	raw, err := l.ReadBlob(images[0].Manifest.Config.Digest)
	if err != nil {
		return 0
	}
	var config struct {
		Config struct{ ExposedPorts map[string]struct{} } `json:"config"`
	}
	if json.Unmarshal(raw, &config) != nil || len(config.Config.ExposedPorts) != 1 {
		return 0
	}
	for text := range config.Config.ExposedPorts {
		number, _, _ := strings.Cut(text, "/")
		n, _ := strconv.Atoi(number) // 0 if it is a range
		return n
	}
	return 0
}

// saveModel writes the model's files.
func (s *session) saveModel(ctx context.Context, m delivery.ModelRef, out *EjectResult) error {
	dir := filepath.Join(out.Dir, "model")
	if err := s.deps.Artifacts.Fetch(ctx, m, dir); err != nil {
		return err
	}
	out.Files = append(out.Files, "model/")
	return nil
}
