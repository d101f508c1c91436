//go:build linux

// Package base makes a stand-in for the image python:3.11-slim from Debian's
// packages, for machines that reach those but no public registry: Debian 12's
// Python is 3.11. It takes root and mmdebstrap.
//
// It is as the official image is where Dockerfiles notice: python and pip are in
// /usr/local/bin, pip installs into the system, and LANG is C.UTF-8.
package base

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/slipway-cd/slipway/internal/flock"
)

// Repository and Tag are what the image is called in a registry that stands for
// docker.io.
const (
	Repository = "library/python"
	Tag        = "3.11-slim"
)

const (
	suite    = "bookworm"
	packages = "ca-certificates,python3,python3-pip,python3-venv"
	epoch    = 1700000000 // of every file that is newer: the same packages make the same image

	// The machine's certificates go in: behind a proxy of its own, pip has to trust
	// whom the machine trusts.
	certificates = "/etc/ssl/certs/ca-certificates.crt"

	finish = `set -eu
rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED
for name in python python3; do ln -sf ../../bin/python3 "$1/usr/local/bin/$name"; done
for name in pip pip3; do ln -sf ../../bin/pip3 "$1/usr/local/bin/$name"; done
rm -rf "$1"/var/cache/apt "$1"/var/log/* "$1"/usr/share/man "$1"/usr/share/locale
`
)

// Builder makes the image, or finds the one that it made.
type Builder struct {
	Dir string    // where images are kept
	Log io.Writer // what the tools say
}

// Build returns the image. Several processes may ask at once: one makes it.
func (b Builder) Build(ctx context.Context) (v1.Image, error) {
	trusted, err := os.ReadFile(certificates)
	if err != nil {
		return nil, fmt.Errorf("read the machine's certificates: %w", err)
	}
	key := sha256.Sum256([]byte(strings.Join([]string{"1", suite, packages, finish, runtime.GOARCH, string(trusted)}, "\x00")))
	dir := filepath.Join(b.Dir, "python-"+Tag+"-"+hex.EncodeToString(key[:6]))
	if err := os.MkdirAll(b.Dir, 0o755); err != nil {
		return nil, err
	}
	lock, err := flock.Lock(ctx, dir+".lock", nil)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if img, err := open(dir); err == nil {
		return img, nil
	}
	return b.build(ctx, dir)
}

// open finds the image in an OCI layout.
func open(dir string) (v1.Image, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	if len(manifest.Manifests) != 1 {
		return nil, fmt.Errorf("%s holds %d images", dir, len(manifest.Manifests))
	}
	return index.Image(manifest.Manifests[0].Digest)
}

func (b Builder) build(ctx context.Context, dir string) (v1.Image, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("make a root file system from Debian's packages: it takes root")
	}
	work, err := os.MkdirTemp(b.Dir, "making-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	rootfs := filepath.Join(work, "rootfs.tar")
	if err := b.bootstrap(ctx, rootfs); err != nil {
		return nil, err
	}
	img, err := wrap(rootfs)
	if err != nil {
		return nil, fmt.Errorf("make an image of %s: %w", rootfs, err)
	}
	// Beside, then in its place: half an image is none.
	draft, err := layout.Write(filepath.Join(work, "image"), empty.Index)
	if err != nil {
		return nil, err
	}
	if err := draft.AppendImage(img); err != nil {
		return nil, fmt.Errorf("write the image: %w", err)
	}
	if err := errors.Join(os.RemoveAll(dir), os.Rename(filepath.Join(work, "image"), dir)); err != nil {
		return nil, err
	}
	return open(dir)
}

// bootstrap installs the packages into a tar file, with apt's own sources.
func (b Builder) bootstrap(ctx context.Context, to string) error {
	cmd := exec.CommandContext(ctx, "mmdebstrap", "--mode=root", "--variant=minbase", "--format=tar",
		"--include="+packages, "--skip=output/dev", "--aptopt=APT::Install-Recommends \"false\"",
		"--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
		"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-include=/usr/share/doc/*/copyright",
		"--customize-hook=copy-in "+certificates+" "+filepath.Dir(certificates), "--customize-hook="+finish,
		suite, to)
	cmd.Env = append(os.Environ(), fmt.Sprintf("SOURCE_DATE_EPOCH=%d", epoch))
	cmd.Stdout, cmd.Stderr = b.Log, b.Log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run mmdebstrap (Debian's package of that name) for %s: %w", suite, err)
	}
	return nil
}

// wrap makes one layer and its image of a tar file.
func wrap(rootfs string) (v1.Image, error) {
	layer, err := tarball.LayerFromFile(rootfs)
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	c, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	c = c.DeepCopy()
	c.OS, c.Architecture = "linux", runtime.GOARCH
	c.Created = v1.Time{Time: time.Unix(epoch, 0).UTC()}
	c.Config.Env = []string{"PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	c.Config.Cmd = []string{"python3"}
	return mutate.ConfigFile(img, c)
}

// Push uploads the image to the registry at that address ("127.0.0.1:5000"), which
// then stands for docker.io. The token is that of `slipway registry --writable`.
func Push(ctx context.Context, img v1.Image, address, token string) (string, error) {
	ref, err := name.NewTag(address+"/"+Repository+":"+Tag, name.Insecure)
	if err != nil {
		return "", err
	}
	if err := remote.Write(ref, img, remote.WithContext(ctx), remote.WithAuth(&authn.Basic{Username: "slipway", Password: token})); err != nil {
		return "", fmt.Errorf("push %s: %w", ref, err)
	}
	digest, err := img.Digest()
	return ref.Context().Name() + "@" + digest.String(), err
}
