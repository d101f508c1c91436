// Package drift compares an object of a cluster with what a release makes it, and
// reads from its managed fields who changed it. It is pure.
//
// What counts is what people and their tools change: recorded fields, and fields that
// they added in what decides how a release runs. Status, defaults, and whatever
// controllers and admission webhooks write are no drift.
package drift

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/managedfields"
	"github.com/slipway-cd/slipway/internal/port"
)

// Compare returns how a live object differs from the recorded one. next is what
// applying the record would make it, from a server-side dry run that takes over all
// fields.
func Compare(live, next *unstructured.Unstructured) ([]port.Drift, error) {
	owners, recorded, err := read(live, next)
	if err != nil {
		return nil, err
	}
	c := comparison{live: live, next: next, owners: owners}
	for path := range recorded.Leaves().All() {
		c.compareRecorded(path.Copy())
	}
	for _, path := range addedFields(live, owners, recorded) {
		c.add(path, nil)
	}
	return c.found, nil
}

// read returns who owns fields of the live object, and what Slipway applies of it.
func read(live, next *unstructured.Unstructured) (owners []managedfields.Owner, recorded *fieldpath.Set, err error) {
	if owners, err = managedfields.Owners(live); err != nil {
		return nil, nil, err
	}
	applying, err := managedfields.Owners(next)
	return owners, managedfields.Applied(applying), err
}

// comparison is one object that is compared.
type comparison struct {
	live, next *unstructured.Unstructured
	owners     []managedfields.Owner
	found      []port.Drift
}

// compareRecorded adds a recorded field if it has another value, and no controller has
// set that.
func (c *comparison) compareRecorded(path fieldpath.Path) {
	if isStage(path) {
		return
	}
	live, isLive := managedfields.ValueAt(c.live.Object, path)
	next, isNext := managedfields.ValueAt(c.next.Object, path)
	if isLive == isNext && equality.Semantic.DeepEqual(live, next) {
		return // the API server leaves out empty values, in both
	}
	by, ok := managedfields.OwnerOf(c.owners, path)
	if ok && by.Kind() == managedfields.Controller || isReplicas(path) && (!ok || by.Kind() == managedfields.Slipway) {
		return // an autoscaler, or what keeps the number for one
	}
	c.add(path, c.next.Object)
}

// add adds a field with its recorded value.
func (c *comparison) add(path fieldpath.Path, recorded map[string]any) {
	d := port.Drift{Kind: c.live.GetKind(), Name: c.live.GetName(), Field: strings.TrimPrefix(path.String(), ".")}
	secret := c.live.GetKind() == "Secret"
	d.Recorded, d.Live = display(recorded, path, secret), display(c.live.Object, path, secret)
	if by, ok := managedfields.OwnerOf(c.owners, path); ok && by.Kind() != managedfields.Slipway {
		d.Manager, d.Time = by.Manager, by.Time
	}
	c.found = append(c.found, d)
}

// Added returns the fields of a live object that a person or a tool has added to what
// the release makes of it. Applying the release leaves them, unless they are taken.
func Added(live, next *unstructured.Unstructured) ([]fieldpath.Path, error) {
	owners, recorded, err := read(live, next)
	if err != nil {
		return nil, err
	}
	return addedFields(live, owners, recorded), nil
}

// addedFields also returns what Slipway itself has applied and would not apply any
// more, such as fields that were taken by a run that was killed then.
func addedFields(live *unstructured.Unstructured, owners []managedfields.Owner, recorded *fieldpath.Set) []fieldpath.Path {
	var out []fieldpath.Path
	seen, all := fieldpath.NewSet(), fieldpath.NewSet()
	for _, by := range owners {
		all = all.Union(by.Fields)
	}
	for _, by := range owners {
		if !by.IsEditor() && !by.IsApplied() {
			continue
		}
		for path := range by.Fields.All() {
			path = topmost(path.Copy(), recorded)
			if _, exists := managedfields.ValueAt(live.Object, path); !exists || !decides(path) || recorded.Has(path) || managedfields.HasBelow(recorded, path) || seen.Has(path) {
				continue
			}
			if !isItem(path) && managedfields.HasBelow(all, path) {
				continue // a map or a list, not what is in it
			}
			seen.Insert(path)
			out = append(out, path)
		}
	}
	return out
}

// topmost returns the list item that a field is in, if the whole item was added.
func topmost(path fieldpath.Path, recorded *fieldpath.Set) fieldpath.Path {
	for i := 1; i <= len(path); i++ {
		if isItem(path[:i]) && !recorded.Has(path[:i]) && !managedfields.HasBelow(recorded, path[:i]) {
			return path[:i]
		}
	}
	return path
}

// isItem reports whether a path ends at an item of a list.
func isItem(path fieldpath.Path) bool {
	last := path[len(path)-1]
	return last.Key != nil || last.Value != nil
}

// decides reports whether a field decides what runs. Labels and annotations of the
// object itself belong to many tools.
func decides(path fieldpath.Path) bool {
	if len(path) < 2 || path[0].FieldName == nil || isReplicas(path) {
		return false
	}
	switch *path[0].FieldName {
	case "metadata", "status":
		return false
	}
	last := path[len(path)-1].FieldName
	return last == nil || *last != "kubectl.kubernetes.io/restartedAt" // `kubectl rollout restart` changes nothing
}

// isStage reports whether a field only says where a release stands.
func isStage(path fieldpath.Path) bool {
	last := path[len(path)-1].FieldName
	if last == nil || len(path) != 3 || *path[0].FieldName != "metadata" {
		return false
	}
	return *last == labels.Fence || *last == labels.Held || *last == labels.Release
}

func isReplicas(path fieldpath.Path) bool {
	return len(path) == 2 && path[1].FieldName != nil && *path[1].FieldName == "replicas"
}
