package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/e2e/prebuild"
	"github.com/slipway-cd/slipway/internal/flock"
)

// defaultVersion is the version of Kubernetes that runs unless Config or VersionEnv
// names another one.
const defaultVersion = "1.36"

// source is what a version of Kubernetes is built from.
type source struct {
	version       string // what its components report
	modfile, tags string // of e2e/cluster/older; empty for the default version
}

// sources returns the versions that can run here. The default one is a whole: etcd,
// kubectl and the metrics server, which are of no version, are built with it.
func sources() map[string]source {
	return map[string]source{
		defaultVersion: {version: "v1.36.3"},
		"1.34":         {version: "v1.34.4", modfile: "go.mod"},
		"1.31":         {version: "v1.31.14", modfile: "1.31.mod", tags: "kubernetes1.31"},
	}
}

// sourceOf returns the sources of the version that the configuration or the
// environment names, and the version.
func (c Config) sourceOf() (source, string, error) {
	version := c.Version
	if version == "" {
		version = os.Getenv(VersionEnv)
	}
	if version == "" {
		version = defaultVersion
	}
	s, ok := sources()[version]
	if !ok {
		known := slices.Sorted(maps.Keys(sources()))
		return source{}, "", fmt.Errorf("unknown version %q of Kubernetes: use %s", version, strings.Join(known, ", "))
	}
	return s, version, nil
}

// stampFlags returns the linker flags that make the components report the version.
func (s source) stampFlags() string {
	parts := strings.SplitN(strings.TrimPrefix(s.version, "v"), ".", 3)
	stamp := " -X k8s.io/component-base/version."
	return "-s -w" + stamp + "gitVersion=" + s.version + stamp + "gitMajor=" + parts[0] + stamp + "gitMinor=" + parts[1] + stamp + "gitTreeState=clean"
}

// Build builds the Kubernetes binary, the components of another version if one is
// wanted, and the pause program, if they are missing or were built from other sources.
// It returns the Kubernetes binary's path. The first build takes several minutes and
// is logged as it proceeds.
func Build(ctx context.Context, c Config) (string, error) {
	s, version, err := c.sourceOf()
	if err != nil {
		return "", err
	}
	module, err := prebuild.ModuleDir("e2e/cluster/kubernetes")
	if err != nil {
		return findPrebuilt(err, c.Binary, pausePath(c.Binary), componentsPath(c.Binary, version))
	}
	binary, err := c.binaryPath(module)
	if err != nil {
		return "", err
	}
	programs := []program{
		{path: pausePath(binary), module: module, pkg: "./pause", flags: "-s -w"},
		{path: binary, module: module, pkg: ".", flags: sources()[defaultVersion].stampFlags()},
	}
	if s.modfile != "" {
		programs = append(programs, program{
			path: componentsPath(binary, version), module: filepath.Join(module, "..", "older"), pkg: ".",
			modfile: s.modfile, tags: s.tags, flags: s.stampFlags(),
		})
	}
	return binary, buildAll(ctx, binary+".lock", c, programs...)
}

// binaryPath returns the absolute path of the Kubernetes binary, given the folder of
// its module.
func (c Config) binaryPath(module string) (string, error) {
	path := c.Binary
	if path == "" {
		path = filepath.Join(module, "..", "..", "..", "bin", "kubernetes")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find the Kubernetes binary: %w", err)
	}
	return path, nil
}

// buildAll builds what is stale, one process at a time.
func buildAll(ctx context.Context, lockPath string, c Config, programs ...program) error {
	if err := os.MkdirAll(filepath.Dir(lockPath), 0o755); err != nil {
		return fmt.Errorf("create the folder of the programs: %w", err)
	}
	lock, err := flock.Lock(ctx, lockPath, func() { logf(c.Log, "another process is building %s: waiting", strings.TrimSuffix(lockPath, ".lock")) })
	if err != nil {
		return err
	}
	defer lock.Close()
	for _, p := range programs {
		if err := p.buildIfStale(ctx, c.Log); err != nil {
			return err
		}
	}
	return nil
}

// pausePath returns the path of the pause program, next to the binary.
func pausePath(binary string) string { return binary + "-pause" }

// componentsPath returns the path of a version's components: the binary itself, or a
// program next to it.
func componentsPath(binary, version string) string {
	if version == defaultVersion {
		return binary
	}
	return binary + "-" + version
}

// findPrebuilt returns the first of the programs, whose sources are not available
// here.
func findPrebuilt(noSources error, paths ...string) (string, error) {
	if paths[0] == "" {
		return "", noSources
	}
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			return "", errors.Join(fmt.Errorf("find the Kubernetes binary: %w", err), noSources)
		}
	}
	return filepath.Abs(paths[0])
}
