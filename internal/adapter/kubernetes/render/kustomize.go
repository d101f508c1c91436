package render

import (
	"errors"
	"strings"
	"sync"

	"sigs.k8s.io/kustomize/api/krusty"

	"github.com/slipway-cd/slipway/internal/fault"
)

// kustomizeMu lets one kustomization run at a time: the library keeps the
// schemas of the one that runs in a variable of its package.
var kustomizeMu sync.Mutex

// kustomize runs a kustomization over the checkout alone: no plugin, no chart,
// no address outside. Places are the folder's, as fields come from many files.
func (l *loader) kustomize(dir string) ([]object, error) {
	kustomizeMu.Lock()
	defer kustomizeMu.Unlock()
	files := &kustomizeFS{tree: l.source}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, "/"+dir)
	if files.firstErr != nil {
		return nil, files.firstErr
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "build the kustomization").Location(dir).Cause(errors.New(truncate(files.redactor.text(oneLine(err))))).
			Hint("`kustomize build %s` shows the same; files outside of the kustomization's folder are not loaded", dir)
	}
	var out []object
	for _, res := range built.Resources() {
		text, err := res.MarshalJSON()
		if err != nil {
			return nil, fault.New(fault.Invalid, "write %s %s of the kustomization", res.GetKind(), res.GetName()).Location(dir)
		}
		found, err := objectsFromJSON(dir, text)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// maxMessageBytes is how many bytes of a library's explanation are shown.
const maxMessageBytes = 600

// firstBytes is the beginning of a library's message, on one line.
func firstBytes(err error) string { return truncate(oneLine(err)) }

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

func truncate(text string) string {
	if len(text) <= maxMessageBytes {
		return text
	}
	return strings.ToValidUTF8(text[:maxMessageBytes], "") + "..."
}
