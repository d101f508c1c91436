package render

import (
	"errors"
	"sync"

	"sigs.k8s.io/kustomize/api/krusty"

	"github.com/slipway-cd/slipway/internal/fault"
)

// kustomizeMu serializes kustomize runs: the library keeps the schemas of the current
// run in a package variable.
var kustomizeMu sync.Mutex

// kustomize builds a kustomization from the checkout only: without plugins, charts
// and remote resources. Errors are located by folder, because fields come from many
// files.
func (l *loader) kustomize(dir string) ([]object, error) {
	kustomizeMu.Lock()
	defer kustomizeMu.Unlock()
	files := &kustomizeFS{tree: l.source}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, "/"+dir)
	if files.firstErr != nil {
		return nil, files.firstErr
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "build the kustomization").Location(dir).Cause(errors.New(truncate(files.redactor.Text(oneLine(err))))).
			Hint("`kustomize build %s` reproduces the error; files outside the kustomization's folder are not loaded", dir)
	}
	var out []object
	for _, res := range built.Resources() {
		text, err := res.MarshalJSON()
		if err != nil {
			return nil, fault.New(fault.Invalid, "encode %s %s of the kustomization", res.GetKind(), res.GetName()).Location(dir)
		}
		found, err := objectsFromJSON(dir, text)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}
