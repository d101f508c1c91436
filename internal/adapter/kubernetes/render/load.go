package render

import (
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"

	"github.com/slipway-cd/slipway/internal/fault"
)

func (l *loader) load(p string) ([]object, error) {
	name, err := localPath(p)
	if err != nil {
		return nil, err
	}
	info, err := l.source.stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return l.loadFile(name)
	}
	kustomization, chart := l.hasKustomization(name), l.source.exists(path.Join(name, "Chart.yaml"))
	switch {
	case kustomization && chart:
		return nil, fault.New(fault.Invalid, "%s is both a kustomization and a Helm chart", name).
			Hint("move one of them into another folder, and name that one")
	case kustomization:
		return l.kustomize(name)
	case chart:
		l.sawChart = true
		return l.renderChart(name)
	}
	return l.loadDir(name)
}

func (l *loader) hasKustomization(dir string) bool {
	return slices.ContainsFunc(konfig.RecognizedKustomizationFileNames(), func(f string) bool {
		return l.source.exists(path.Join(dir, f))
	})
}

func (l *loader) loadFile(name string) ([]object, error) {
	if !isManifest(name) {
		return nil, fault.New(fault.Invalid, "%s is not a manifest", name).Hint("manifest files end in .yaml, .yml or .json")
	}
	data, err := l.source.readFile(name)
	if err != nil {
		return nil, err
	}
	return decode(name, data)
}

func isManifest(name string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(name))
}

// loadDir reads the files of a folder in lexical order. Subfolders are skipped, as by
// kubectl: they often hold another environment's objects.
func (l *loader) loadDir(dir string) ([]object, error) {
	entries, err := l.source.readDir(dir)
	if err != nil {
		return nil, err
	}
	var out []object
	files := 0
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		info, err := l.source.stat(name)
		switch {
		case !isManifest(name) && (err != nil || !info.IsDir() || strings.HasPrefix(e.Name(), ".")):
			continue
		case err != nil:
			return nil, err
		case info.IsDir():
			l.notes = append(l.notes, "folder "+name+" is not read: list subfolders one by one")
			continue
		}
		found, err := l.loadFile(name)
		if err != nil {
			return nil, err
		}
		files++
		out = append(out, found...)
	}
	if files == 0 {
		return nil, fault.New(fault.Invalid, "no manifests found in %s", dir).
			Hint("put *.yaml, *.yml or *.json files there, a kustomization.yaml or a Chart.yaml")
	}
	return out, nil
}
