package main

import (
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/slipway-cd/slipway/bench/measure"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// The pushed image: 200 MB of incompressible data.
const (
	pushLayers    = 4
	pushLayerSize = 50e6
	pushRounds    = 15
)

// pushTool is one way to push the image of an OCI layout. Each has its own layout and
// its own repository in the same registry.
type pushTool struct {
	name    string
	command func(layout, repository, tag string, d delivery.Digest) []string
	took    []time.Duration
}

// measurePushes measures pushing an image of which one layer is new.
func (b *bench) measurePushes(ctx context.Context) error {
	all, err := b.pushTools(ctx)
	if err != nil {
		return err
	}
	address, stop, err := b.serveRegistry("pushed")
	if err != nil {
		return err
	}
	defer stop()
	common := make([]v1.Layer, pushLayers-1)
	for i := range common {
		if common[i], err = randomLayer(); err != nil {
			return err
		}
	}
	for round := range pushRounds + 1 { // the first round is not measured: everything is new
		for i := range all {
			p := all[(round+i)%len(all)]
			took, err := b.pushOnce(ctx, p, address+"/"+p.name, fmt.Sprint("round", round), common)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			if round > 0 {
				p.took = append(p.took, took)
			}
		}
	}
	b.addPushRows(all[0], all[1:])
	return nil
}

// pushTools returns Slipway's push first, then others. Each is a separate program.
func (b *bench) pushTools(ctx context.Context) ([]*pushTool, error) {
	ours := filepath.Join(b.work, "push")
	build := measure.Command(ctx, b.root, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", ours, "./bench/push")
	build.Env = append(build.Env, "CGO_ENABLED=0")
	if _, err := measure.ExecCmd(build, 0); err != nil {
		return nil, err
	}
	crane, err := b.buildTool(ctx, "github.com/google/go-containerregistry/cmd/crane")
	if err != nil {
		return nil, err
	}
	all := []*pushTool{
		{name: "slipway", command: func(layout, repository, tag string, d delivery.Digest) []string {
			return []string{ours, layout, repository, string(d), tag}
		}},
		{name: "crane", command: func(layout, repository, tag string, _ delivery.Digest) []string {
			return []string{crane, "push", layout, repository + ":" + tag}
		}},
	}
	skopeo, err := exec.LookPath("skopeo")
	if err != nil {
		b.Note("push compared with skopeo", "no skopeo in PATH")
		return all, nil //nolint:nilerr // the rest is still measured
	}
	return append(all, &pushTool{name: "skopeo", command: func(layout, repository, tag string, _ delivery.Digest) []string {
		return []string{skopeo, "copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false", "oci:" + layout, "docker://" + repository + ":" + tag}
	}}), nil
}

// randomLayer returns a layer of random bytes.
func randomLayer() (v1.Layer, error) {
	random := make([]byte, pushLayerSize)
	if _, err := rand.Read(random); err != nil {
		return nil, err
	}
	return layer(gzip.NoCompression, map[string][]byte{"noise": random}, []string{"noise"})
}

// pushOnce pushes an image with one layer that is new to the registry.
func (b *bench) pushOnce(ctx context.Context, p *pushTool, repository, tag string, common []v1.Layer) (time.Duration, error) {
	fresh, err := randomLayer()
	if err != nil {
		return 0, err
	}
	img, err := image(v1.Config{}, append(common[:len(common):len(common)], fresh)...)
	if err != nil {
		return 0, err
	}
	dir := filepath.Join(b.work, "push-"+p.name)
	d, err := writeLayout(dir, img)
	if err != nil {
		return 0, err
	}
	line := p.command(dir, repository, tag, d)
	// Garbage and dirty pages of this round's setup are not part of the measurement.
	runtime.GC()
	syscall.Sync()
	start := time.Now()
	if _, err := measure.Exec(ctx, 0, b.work, line[0], line[1:]...); err != nil {
		return 0, err
	}
	took := time.Since(start)
	return took, errors.Join(checkPushed(ctx, repository+":"+tag, d), measure.RemoveAll(dir))
}

// checkPushed checks that the registry has exactly this image.
func checkPushed(ctx context.Context, reference string, want delivery.Digest) error {
	ref, err := name.NewTag(reference)
	if err != nil {
		return err
	}
	got, err := remote.Head(ref, remote.WithContext(ctx))
	if err == nil && got.Digest.String() != string(want) {
		err = fmt.Errorf("%s is %s, want %s", reference, got.Digest, want)
	}
	return err
}

// addPushRows compares Slipway's push with the fastest of the others.
func (b *bench) addPushRows(ours *pushTool, others []*pushTool) {
	fastest := others[0]
	var said []string
	for _, o := range others {
		said = append(said, fmt.Sprintf("%s %.2f s", o.name, measure.Median(o.took).Seconds()))
		if measure.Median(o.took) < measure.Median(fastest.took) {
			fastest = o
		}
	}
	ratio, least, most := measure.Ratios(ours.took, fastest.took)
	b.Add(fmt.Sprintf("push of 200 MB with one of 4 layers changed, Slipway's push alone compared with %s (median of %d)", fastest.name, pushRounds), "ratio <= 1",
		fmt.Sprintf("%.2f s, %s, ratio %.2f (%.2f to %.2f)", measure.Median(ours.took).Seconds(), strings.Join(said, ", "), ratio, least, most), ratio <= 1)
}
