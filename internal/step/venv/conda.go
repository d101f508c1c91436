package venv

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step/job"
	"github.com/slipway-cd/slipway/internal/textline"
)

// condaPackage is one package that conda installs: a file, and its MD5 as conda
// checks it.
type condaPackage struct{ url, md5 string }

// condaLock is conda-lock.yml, version 1.
type condaLock struct {
	Version int `yaml:"version"`
	Package []struct {
		Name     string `yaml:"name"`
		Version  string `yaml:"version"`
		Manager  string `yaml:"manager"` // conda | pip
		Platform string `yaml:"platform"`
		URL      string `yaml:"url"`
		Category string `yaml:"category"`
		Hash     struct {
			MD5    string `yaml:"md5"`
			SHA256 string `yaml:"sha256"`
		} `yaml:"hash"`
	} `yaml:"package"`
}

// condaPlatforms are conda's names of platforms.
var condaPlatforms = map[string]string{
	"linux/amd64": "linux-64", "linux/arm64": "linux-aarch64", "linux/ppc64le": "linux-ppc64le",
	"darwin/amd64": "osx-64", "darwin/arm64": "osx-arm64", "windows/amd64": "win-64",
}

func condaPlatform() string { return condaPlatforms[runtime.GOOS+"/"+runtime.GOARCH] }

// readConda reads the packages of this platform, in the categories that conda-lock
// installs by default.
func readConda(text []byte) (locked, error) {
	var lock condaLock
	if err := yaml.Unmarshal(text, &lock); err != nil {
		return locked{}, err
	}
	if lock.Version != 1 {
		return locked{}, fault.New(fault.Invalid, "unsupported version %d of the format (want 1)", lock.Version).Hint("lock again with a current version of conda-lock")
	}
	var out locked
	platforms := map[string]bool{}
	python := false
	for _, p := range lock.Package {
		platforms[p.Platform] = true
		if p.Platform != condaPlatform() || !slices.Contains([]string{"", "main", "dev"}, p.Category) {
			continue
		}
		if p.Manager == "pip" {
			out.packages = append(out.packages, lockedPackage{name: p.Name, url: p.URL, hashes: []string{"sha256:" + p.Hash.SHA256}})
			continue
		}
		if !packageURL.MatchString(p.URL) || !packageHash.MatchString("md5:"+p.Hash.MD5) {
			return out, fmt.Errorf("package %s has no URL, or no MD5", p.Name)
		}
		out.conda = append(out.conda, condaPackage{p.URL, p.Hash.MD5})
		python = python || p.Name == "python"
	}
	switch {
	case len(out.conda) == 0:
		return out, fault.New(fault.Invalid, "no packages for the platform %s, but for %s", condaPlatform(), strings.Join(slices.Sorted(maps.Keys(platforms)), ", ")).
			Hint("lock for it as well: `conda-lock lock -p %s`", condaPlatform())
	case !python:
		return out, fault.New(fault.Invalid, "python is not among the packages").Hint("add python to environment.yml, and lock again")
	}
	return out, nil
}

// explicit is the list of files in conda's format.
func (l locked) explicit() string {
	var out strings.Builder
	out.WriteString("@EXPLICIT\n")
	for _, p := range l.conda {
		out.WriteString(p.url + "#" + strings.ToLower(p.md5) + "\n")
	}
	return out.String()
}

// condaPrograms install from a conda-lock.yml; the first in PATH is used.
var condaPrograms = []string{"micromamba", "mamba", "conda"}

// conda finds the program that installs conda packages.
func (p runner) conda(ctx context.Context, file string) (tool, error) {
	for _, name := range condaPrograms {
		version, err := p.output(ctx, name+" --version")
		if err != nil {
			return tool{}, err
		}
		if v := textline.Last(version); v != "" {
			return tool{Conda: name, CondaVersion: strings.TrimPrefix(v, name+" ")}, nil
		}
	}
	return tool{}, fault.New(fault.Unavailable, "install %s: none of %s is in PATH", file, strings.Join(condaPrograms, ", ")).
		Hint("install micromamba (https://mamba.readthedocs.io), or use a requirements file")
}

// condaCreate is the command that creates the environment from the explicit file.
func (e recipe) condaCreate(env, explicit string) string {
	return e.tool.Conda + " create --yes --quiet --prefix " + job.Quote(env) + " --file " + job.Quote(explicit)
}
