package cluster

import (
	"archive/tar"
	"bytes"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/template"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// pauseImage is the pause image's name in containerd. No registry serves it.
const pauseImage = "slipway.invalid/pause:1"

//go:embed files
var files embed.FS

// privateDirs are folders that components use under fixed names. Inside the
// namespaces, each is a private folder of the cluster.
var privateDirs = []string{"/run", "/var/lib/cni", "/var/lib/kubelet", "/var/log/containers", "/var/log/pods"}

// sysctls are kernel settings that the kubelet requires. Inside the namespaces they
// are plain files that have the values already, so that this machine is not changed.
var sysctls = map[string]string{
	"vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
	"kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
}

// prepareMounts creates the private folders below dir. It returns pairs of source and
// mount point, and the folders that did not exist on this machine. Paths outside that
// the cluster uses must not be below a private folder.
func prepareMounts(dir string, outside ...string) (pairs, made []string, err error) {
	for _, path := range privateDirs {
		for _, u := range append(outside, dir) {
			if strings.HasPrefix(u, path+"/") {
				return nil, made, fmt.Errorf("start a cluster: %s is below %s, which is private to the cluster: %w", u, path, ErrUnsupported)
			}
		}
		private := filepath.Join(dir, "hidden", path)
		if err := os.MkdirAll(private, 0o755); err != nil {
			return nil, made, fmt.Errorf("create the private folders: %w", err)
		}
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			if err := os.MkdirAll(path, 0o755); err != nil {
				return nil, made, fmt.Errorf("create the private folders: %w", err)
			}
			made = append(made, path)
		}
		pairs = append(pairs, private, path)
	}
	for name, value := range sysctls {
		private, path := filepath.Join(dir, "hidden", "sys", name), filepath.Join("/proc/sys", name)
		if _, err := os.Stat(path); err != nil {
			continue // not supported by this kernel; the kubelet copes
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(private), 0o755), os.WriteFile(private, []byte(value+"\n"), 0o644)); err != nil {
			return nil, made, fmt.Errorf("write the kernel settings: %w", err)
		}
		pairs = append(pairs, private, path)
	}
	return pairs, made, nil
}

// writeConfig renders the components' configuration files below dir.
func writeConfig(dir string) error {
	plugins, err := pluginDir()
	if err != nil {
		return fmt.Errorf("find the CNI plugins: %w", err)
	}
	ca, err := os.ReadFile(filepath.Join(dir, "pki", "ca.crt"))
	if err != nil {
		return fmt.Errorf("read the certificate authority: %w", err)
	}
	all, err := template.ParseFS(files, "files/*")
	if err != nil {
		return fmt.Errorf("read the configuration files: %w", err)
	}
	facts := map[string]string{
		"Dir": dir, "Socket": containerdSocket, "Pause": pauseImage, "CNI": plugins, "Pods": podNet, "Cgroup": cgroupName,
		"Node": nodeName, "NodeIP": nodeIP, "CA": base64.StdEncoding.EncodeToString(ca),
	}
	for _, t := range all.Templates() {
		path := filepath.Join(dir, "config", t.Name())
		if strings.HasSuffix(path, ".conflist") {
			path = filepath.Join(dir, "config", "cni", t.Name()) // containerd reads this folder
		}
		var text bytes.Buffer
		if err := t.Execute(&text, facts); err != nil {
			return fmt.Errorf("render %s: %w", t.Name(), err)
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text.Bytes(), 0o644)); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	return nil
}

// writePauseImage packs the program as an image archive for containerd.
func writePauseImage(program, path string) error {
	content, err := os.ReadFile(program)
	if err != nil {
		return fmt.Errorf("read the pause program: %w", err)
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := w.WriteHeader(&tar.Header{Name: "pause", Mode: 0o755, Size: int64(len(content))}); err != nil {
		return fmt.Errorf("pack the pause image: %w", err)
	}
	if _, err := w.Write(content); err != nil {
		return fmt.Errorf("pack the pause image: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("pack the pause image: %w", err)
	}
	img, err := mutate.AppendLayers(empty.Image, static.NewLayer(layer.Bytes(), types.DockerUncompressedLayer))
	if err != nil {
		return fmt.Errorf("pack the pause image: %w", err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		return fmt.Errorf("pack the pause image: %w", err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Config = "linux", runtime.GOARCH, v1.Config{Entrypoint: []string{"/pause"}, User: "65535:65535"}
	if img, err = mutate.ConfigFile(img, config); err != nil {
		return fmt.Errorf("pack the pause image: %w", err)
	}
	tag, err := name.NewTag(pauseImage)
	if err != nil {
		return fmt.Errorf("pack the pause image: %w", err)
	}
	if err := tarball.WriteToFile(path, tag, img); err != nil {
		return fmt.Errorf("pack the pause image: %w", err)
	}
	return nil
}
