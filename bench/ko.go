package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/slipway-cd/slipway/bench/measure"
)

// Retail's image alone: no tests, no model.
const koProject = `version: 1
service: retail-api
image: {build: {go: ./cmd/api}, repository: retail-api}
environments: {dev: {target: {local: {}}}}
`

// koing is two copies of Retail, one for Slipway and one for ko's own program.
type koing struct {
	*bench
	ko         string // the program
	ours, copy *shop
}

// goImages measures what Slipway adds to ko, whose library it uses.
func (b *bench) goImages(ctx context.Context) error {
	k := &koing{bench: b}
	var err error
	if k.ko, err = b.tool(ctx, "github.com/google/ko"); err != nil {
		return err
	}
	address, stop, err := b.registry("base")
	if err != nil {
		return err
	}
	defer stop()
	if err := k.prepare(ctx, address); err != nil {
		return err
	}
	defer k.ours.down()
	return k.beside(ctx)
}

func (k *koing) prepare(ctx context.Context, address string) (err error) {
	seed := int(time.Now().UnixNano()/1000) % 500_000_000 &^ 1
	if k.ours, err = k.shop(ctx, "go-slipway", seed); err != nil {
		return err
	}
	if k.copy, err = k.shop(ctx, "go-ko", seed+1); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(k.ours.dir, "slipway.yaml"), []byte(koProject), 0o644); err != nil {
		return err
	}
	if err := errors.Join(k.ours.commit(ctx), k.deliver(ctx)); err != nil {
		return err
	}
	built, err := filepath.Glob(filepath.Join(k.ours.dir, ".slipway", "artifacts", "images", "*", "index.json"))
	if err != nil || len(built) != 1 {
		return fmt.Errorf("the first build left %d images, want 1 (%w)", len(built), err)
	}
	img, err := readLayout(filepath.Dir(built[0]))
	if err != nil {
		return err
	}
	if err := k.base(ctx, address, img); err != nil {
		return err
	}
	if err := k.plain(ctx); err != nil {
		return err
	}
	return k.same(img)
}

// base gives ko the base that Slipway's image has.
func (k *koing) base(ctx context.Context, address string, built v1.Image) error {
	layers, err := built.Layers()
	if err != nil {
		return err
	}
	file, err := built.ConfigFile()
	if err != nil {
		return err
	}
	base, err := image(v1.Config{User: file.Config.User, WorkingDir: file.Config.WorkingDir, Env: file.Config.Env}, layers[0])
	if err != nil {
		return err
	}
	d, err := base.Digest()
	if err != nil {
		return err
	}
	ref, err := name.NewDigest(address + "/base@" + d.String())
	if err != nil {
		return err
	}
	if err := remote.Write(ref, base, remote.WithContext(ctx)); err != nil {
		return err
	}
	settings := fmt.Sprintf("defaultBaseImage: %s\ndefaultPlatforms: [linux/%s]\ndefaultFlags: [-buildvcs=false]\ndefaultLdflags: [\"-s -w -buildid=\"]\n", ref, runtime.GOARCH)
	return os.WriteFile(filepath.Join(k.copy.dir, ".ko.yaml"), []byte(settings), 0o644)
}

// same makes sure that both build the same: of one source, the layer with the
// program has the same bytes.
func (k *koing) same(ours v1.Image) error {
	theirs, err := readLayout(k.layout())
	if err != nil {
		return err
	}
	var last []v1.Hash
	for _, img := range []v1.Image{ours, theirs} {
		m, err := img.Manifest()
		if err != nil {
			return err
		}
		last = append(last, m.Layers[len(m.Layers)-1].Digest)
	}
	if last[0] != last[1] {
		return fmt.Errorf("of the same source, Slipway's program is in layer %s and ko's in %s: they were told to build different things", last[0], last[1])
	}
	return nil
}

// deliver builds with Slipway.
func (k *koing) deliver(ctx context.Context) error {
	_, err := measure.Exec(ctx, 0, k.ours.dir, k.slipway, "run", "--env", "dev", "--until", "build")
	return err
}

func (k *koing) layout() string { return filepath.Join(k.work, "go-ko-layout") }

// plain builds with ko, into an OCI layout as Slipway does.
func (k *koing) plain(ctx context.Context) error {
	if err := os.RemoveAll(k.layout()); err != nil {
		return err
	}
	cmd := measure.Command(ctx, k.copy.dir, k.ko, "build", "--push=false", "--oci-layout-path", k.layout(), "--sbom=none", "--bare", "./cmd/api")
	cmd.Env = append(cmd.Env, "KO_DOCKER_REPO=ko.invalid/retail-api", "GOFLAGS=-buildvcs=false")
	_, err := measure.ExecCmd(cmd, 0)
	return err
}

func (k *koing) beside(ctx context.Context) error {
	var ours, theirs []time.Duration
	for range pairs {
		if err := errors.Join(k.ours.harmless(ctx), k.copy.harmless(ctx)); err != nil {
			return err
		}
		start := time.Now()
		if err := k.deliver(ctx); err != nil {
			return err
		}
		ours = append(ours, time.Since(start))
		start = time.Now()
		if err := k.plain(ctx); err != nil {
			return err
		}
		theirs = append(theirs, time.Since(start))
	}
	ratio, least, most := measure.Ratios(ours, theirs)
	k.Add(fmt.Sprintf("Go image, one line changed: slipway run --until build (plan, checkout and records too) beside ko build (image alone) (median of %d)", pairs), "ratio <= 1.05",
		fmt.Sprintf("%.2f s, ko %.2f s, ratio %.2f (%.2f to %.2f)", measure.Median(ours).Seconds(), measure.Median(theirs).Seconds(), ratio, least, most), ratio <= 1.05)
	return nil
}
