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

// Only Retail's image: no tests, no model.
const koProject = `version: 1
service: retail-api
image: {build: {go: ./cmd/api}, repository: retail-api}
environments: {dev: {target: {local: {}}}}
`

// koBench is two copies of Retail, one for Slipway and one for ko.
type koBench struct {
	*bench
	ko                  string // the program
	slipwayRepo, koRepo *retailRepo
}

// measureGoImages measures the overhead over ko, whose library Slipway uses.
func (b *bench) measureGoImages(ctx context.Context) error {
	k := &koBench{bench: b}
	var err error
	if k.ko, err = b.buildTool(ctx, "github.com/google/ko"); err != nil {
		return err
	}
	address, stop, err := b.serveRegistry("base")
	if err != nil {
		return err
	}
	defer stop()
	if err := k.prepare(ctx, address); err != nil {
		return err
	}
	defer k.slipwayRepo.down()
	return k.compare(ctx)
}

func (k *koBench) prepare(ctx context.Context, address string) (err error) {
	seed := int(time.Now().UnixNano()/1000) % 500_000_000 &^ 1
	if k.slipwayRepo, err = k.newRetailRepo(ctx, "go-slipway", seed); err != nil {
		return err
	}
	if k.koRepo, err = k.newRetailRepo(ctx, "go-ko", seed+1); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(k.slipwayRepo.dir, "slipway.yaml"), []byte(koProject), 0o644); err != nil {
		return err
	}
	if err := errors.Join(k.slipwayRepo.commit(ctx), k.buildWithSlipway(ctx)); err != nil {
		return err
	}
	built, err := filepath.Glob(filepath.Join(k.slipwayRepo.dir, ".slipway", "artifacts", "images", "*", "index.json"))
	if err != nil || len(built) != 1 {
		return fmt.Errorf("the first build left %d images, want 1 (%w)", len(built), err)
	}
	img, err := readLayout(filepath.Dir(built[0]))
	if err != nil {
		return err
	}
	if err := k.pushBase(ctx, address, img); err != nil {
		return err
	}
	if err := k.buildWithKo(ctx); err != nil {
		return err
	}
	return k.checkSameLayer(img)
}

// pushBase gives ko the base image of Slipway's image.
func (k *koBench) pushBase(ctx context.Context, address string, built v1.Image) error {
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
	return os.WriteFile(filepath.Join(k.koRepo.dir, ".ko.yaml"), []byte(settings), 0o644)
}

// checkSameLayer checks that both build the same: from one source, the layer with the
// program has the same bytes.
func (k *koBench) checkSameLayer(ours v1.Image) error {
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
		return fmt.Errorf("from the same source, Slipway's program is in layer %s and ko's in %s: they are not building the same thing", last[0], last[1])
	}
	return nil
}

// buildWithSlipway builds with Slipway.
func (k *koBench) buildWithSlipway(ctx context.Context) error {
	_, err := measure.Exec(ctx, 0, k.slipwayRepo.dir, k.slipway, "run", "--env", "dev", "--until", "build")
	return err
}

func (k *koBench) layout() string { return filepath.Join(k.work, "go-ko-layout") }

// buildWithKo builds with ko, into an OCI layout as Slipway does.
func (k *koBench) buildWithKo(ctx context.Context) error {
	if err := os.RemoveAll(k.layout()); err != nil {
		return err
	}
	cmd := measure.Command(ctx, k.koRepo.dir, k.ko, "build", "--push=false", "--oci-layout-path", k.layout(), "--sbom=none", "--bare", "./cmd/api")
	cmd.Env = append(cmd.Env, "KO_DOCKER_REPO=ko.invalid/retail-api", "GOFLAGS=-buildvcs=false")
	_, err := measure.ExecCmd(cmd, 0)
	return err
}

func (k *koBench) compare(ctx context.Context) error {
	var ours, theirs []time.Duration
	for range rounds {
		if err := errors.Join(k.slipwayRepo.touch(ctx), k.koRepo.touch(ctx)); err != nil {
			return err
		}
		start := time.Now()
		if err := k.buildWithSlipway(ctx); err != nil {
			return err
		}
		ours = append(ours, time.Since(start))
		start = time.Now()
		if err := k.buildWithKo(ctx); err != nil {
			return err
		}
		theirs = append(theirs, time.Since(start))
	}
	ratio, least, most := measure.Ratios(ours, theirs)
	k.Add(fmt.Sprintf("Go image, one line changed: slipway run --until build (with plan, checkout and records) compared with ko build (image alone) (median of %d)", rounds), "ratio <= 1.05",
		fmt.Sprintf("%.2f s, ko %.2f s, ratio %.2f (%.2f to %.2f)", measure.Median(ours).Seconds(), measure.Median(theirs).Seconds(), ratio, least, most), ratio <= 1.05)
	return nil
}
