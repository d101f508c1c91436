package oci

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/slipway-cd/slipway/internal/blob"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/flock"
	"github.com/slipway-cd/slipway/internal/port"
)

// Unpack makes dir the image's root file system. Beside dir it keeps dir.json
// (which image it is) and dir.lock. Owners and devices are left out, as are the
// bits that let a program run as another user, or another user change a file: any
// user may unpack.
func (r *Registry) Unpack(ctx context.Context, img delivery.Image, dir string) (port.ImageConfig, error) {
	if err := validateImage(img); err != nil {
		return port.ImageConfig{}, err
	}
	at, err := r.repoRef(ctx, img.Repository)
	if err != nil {
		return port.ImageConfig{}, err
	}
	act := "unpack " + img.String()
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return port.ImageConfig{}, fault.New(fault.FileKind(err), "%s", act).Cause(err)
	}
	held, err := lockFolder(ctx, act, dir)
	if err != nil {
		return port.ImageConfig{}, err
	}
	defer held.Close()
	n, ok, err := readRecord(dir, img.Digest)
	if err != nil || ok && n.Form == recordForm {
		return n.Config, err
	}
	if ok {
		return at.renewRecord(n, dir)
	}
	if err := at.restore(ctx, img.Digest); err != nil {
		return port.ImageConfig{}, at.toFault(ctx, act, err)
	}
	remoteImage, err := remote.Image(at.repo.Digest(string(img.Digest)), at.options...)
	if err != nil {
		return port.ImageConfig{}, at.toFault(ctx, act, err)
	}
	n = unpackRecord{Digest: img.Digest, Form: recordForm}
	if n.Config, err = imageConfig(remoteImage); err != nil {
		return port.ImageConfig{}, at.entryFault(ctx, act, err)
	}
	partial := dir + ".partial"
	defer removeAll(partial)
	if err := at.unpackLayers(ctx, act, remoteImage, partial); err != nil {
		return port.ImageConfig{}, err
	}
	if err := publish(n, partial, dir); err != nil {
		return port.ImageConfig{}, fault.New(fault.FileKind(err), "%s", act).Cause(err)
	}
	return n.Config, nil
}

// lockFolder takes the lock beside dir, against other processes. Closing the file
// releases it.
func lockFolder(ctx context.Context, act, dir string) (*os.File, error) {
	if !canUnpack {
		return nil, fault.New(fault.Unavailable, "%s: not supported on this operating system", act).Hint("use Linux or macOS")
	}
	f, err := flock.Lock(ctx, dir+".lock", nil)
	if err != nil && ctx.Err() == nil {
		return nil, fault.New(fault.FileKind(err), "%s", act).Cause(err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", act, err)
	}
	return f, nil
}

func imageConfig(img v1.Image) (port.ImageConfig, error) {
	if err := checkImage(img); err != nil {
		return port.ImageConfig{}, err
	}
	file, err := img.ConfigFile()
	if err != nil {
		return port.ImageConfig{}, err
	}
	c := file.Config
	return port.ImageConfig{
		Entrypoint: c.Entrypoint, Cmd: c.Cmd, Env: c.Env, WorkingDir: c.WorkingDir, User: c.User, Ports: exposedPorts(c.ExposedPorts),
	}, nil
}

// exposedPorts returns the TCP ports of "8000/tcp" and "8000", sorted.
func exposedPorts(exposed map[string]struct{}) []int {
	var ports []int
	for text := range exposed {
		number, protocol, _ := strings.Cut(text, "/")
		n, err := strconv.ParseUint(number, 10, 16)
		if err == nil && n > 0 && (protocol == "" || strings.EqualFold(protocol, "tcp")) {
			ports = append(ports, int(n))
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// unpackLayers unpacks the layers, lowest first, into a new folder.
func (p repoRef) unpackLayers(ctx context.Context, act string, img v1.Image, dir string) error {
	layers, err := img.Layers()
	if err != nil {
		return p.toFault(ctx, act, err)
	}
	removeAll(dir)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fault.New(fault.FileKind(err), "%s", act).Cause(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fault.New(fault.FileKind(err), "%s", act).Cause(err)
	}
	defer root.Close()
	tree := newRootFS(root)
	for _, layer := range layers {
		if err := p.applyLayer(ctx, layer, tree); err != nil {
			if isNoSpace(err) {
				return diskFull(act, filepath.Dir(dir), "the image", 0, err)
			}
			return p.entryFault(ctx, act, err)
		}
	}
	if err := tree.setDirMetadata(); err != nil {
		return fault.New(fault.FileKind(err), "%s", act).Cause(err)
	}
	return nil
}

func (p repoRef) entryFault(ctx context.Context, act string, err error) error {
	var bad *entryError
	if errors.As(err, &bad) && ctx.Err() == nil {
		return fault.New(fault.Corrupt, "%s", act).Hint("the image is malformed, possibly with malicious intent: build it again from its source").Cause(err)
	}
	return p.toFault(ctx, act, err)
}

// applyLayer puts one layer on the tree. The library checks the blob's digest at its
// end, so everything is read up to there, also what follows the archive.
func (p repoRef) applyLayer(ctx context.Context, layer v1.Layer, tree *rootFS) error {
	packed, err := layer.Compressed()
	if err != nil {
		return err
	}
	defer packed.Close()
	counted := &countingReader{Reader: blob.ContextReader(ctx, packed)}
	whole := bufio.NewReaderSize(counted, 256<<10)
	plain, err := blob.Decompress(whole)
	if err != nil {
		return drain(whole, &entryError{err: err})
	}
	defer plain.Close()
	unpacked := &ratioReader{Reader: plain, packed: counted}
	if err := tree.applyLayer(unpacked); err != nil {
		return drain(whole, err)
	}
	if _, err := io.Copy(io.Discard, unpacked); err != nil {
		return drain(whole, &entryError{err: err})
	}
	return drain(whole, nil)
}

// drain reads the blob to its end. That its digest is wrong explains more
// than what was found in it.
func drain(whole io.Reader, err error) error {
	if err != nil && isNoSpace(err) {
		return err
	}
	if _, bad := io.Copy(io.Discard, whole); bad != nil {
		return bad
	}
	return err
}

// publish makes what is whole visible, the note first.
func publish(n unpackRecord, partial, dir string) error {
	if err := n.save(dir); err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(partial, dir)
}

// removeAll removes a folder whatever its modes are.
func removeAll(dir string) {
	if os.RemoveAll(dir) == nil {
		return
	}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
	_ = os.RemoveAll(dir)
}
