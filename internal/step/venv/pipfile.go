package venv

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
)

// pipfileLock is Pipfile.lock.
type pipfileLock struct {
	Meta struct {
		Spec    int `json:"pipfile-spec"`
		Sources []struct {
			URL string `json:"url"`
		} `json:"sources"`
	} `json:"_meta"`
	Default map[string]pipfilePackage `json:"default"`
	Develop map[string]pipfilePackage `json:"develop"`
}

type pipfilePackage struct {
	Version string   `json:"version"`
	Hashes  []string `json:"hashes"`
	Markers string   `json:"markers"`
	Git     string   `json:"git"`
	Path    string   `json:"path"`
	File    string   `json:"file"`
}

// pipfileSpec is the version of the format that is understood; it has been 6 since
// 2017.
const pipfileSpec = 6

// readPipfile reads the default and the development packages, as `pipenv sync --dev`
// installs them.
func readPipfile(text []byte) (locked, error) {
	var lock pipfileLock
	if err := json.Unmarshal(text, &lock); err != nil {
		return locked{}, err
	}
	if lock.Meta.Spec != pipfileSpec {
		return locked{}, fault.New(fault.Invalid, "unsupported version %d of the format (want %d)", lock.Meta.Spec, pipfileSpec).
			Hint("run `pipenv lock` with a current version of Pipenv")
	}
	var out locked
	var urls []string
	replaces := len(lock.Meta.Sources) > 0
	for _, s := range lock.Meta.Sources {
		urls = append(urls, s.URL)
		replaces = replaces && !isPyPI(s.URL)
	}
	var err error
	if out.indexes, err = indexLines(urls, replaces); err != nil {
		return out, err
	}
	all := maps.Clone(lock.Develop)
	if all == nil {
		all = map[string]pipfilePackage{}
	}
	maps.Copy(all, lock.Default)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		p := all[name]
		switch {
		case p.Git != "":
			return out, notLockable(name, "git")
		case p.Path != "":
			return out, notLockable(name, "the repository")
		}
		version, pinned := strings.CutPrefix(p.Version, "==")
		if !pinned && p.File == "" {
			return out, fmt.Errorf("package %s has no exact version", name)
		}
		out.packages = append(out.packages, lockedPackage{name: name, version: strings.TrimPrefix(version, "="), url: p.File, markers: p.Markers, hashes: p.Hashes})
	}
	return out, nil
}
