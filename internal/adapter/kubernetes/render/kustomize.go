package render

import (
	"errors"
	"strings"
	"sync"

	"sigs.k8s.io/kustomize/api/krusty"

	"github.com/slipway-cd/slipway/internal/fault"
)

// kustomizing lets one kustomization run at a time: the library keeps the
// schemas of the one that runs in a variable of its package.
var kustomizing sync.Mutex

// kustomize runs a kustomization over the checkout alone: no plugin, no chart,
// no address outside. Places are the folder's, as fields come from many files.
func (l *loader) kustomize(dir string) ([]object, error) {
	kustomizing.Lock()
	defer kustomizing.Unlock()
	files := &overlay{tree: l.tree}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, "/"+dir)
	if files.refused != nil {
		return nil, files.refused
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "build the kustomization").Location(dir).Cause(errors.New(short(files.hide.text(oneLine(err))))).
			Hint("`kustomize build %s` shows the same; files outside of the kustomization's folder are not loaded", dir)
	}
	var out []object
	for _, res := range built.Resources() {
		text, err := res.MarshalJSON()
		if err != nil {
			return nil, fault.New(fault.Invalid, "write %s %s of the kustomization", res.GetKind(), res.GetName()).Location(dir)
		}
		found, err := value(dir, text)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// mostReason is how many bytes of a library's explanation are shown.
const mostReason = 600

// reason is the beginning of a library's message, on one line.
func reason(err error) string { return short(oneLine(err)) }

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

func short(text string) string {
	if len(text) <= mostReason {
		return text
	}
	return strings.ToValidUTF8(text[:mostReason], "") + "..."
}
