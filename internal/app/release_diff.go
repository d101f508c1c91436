package app

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// ReleaseDiff is how two releases differ.
type ReleaseDiff struct {
	From          delivery.ReleaseID `json:"from"`
	To            delivery.ReleaseID `json:"to"`
	Same          bool               `json:"same"` // they have the same content
	Image         []Difference       `json:"image"`
	Model         []Difference       `json:"model"`
	Configuration []Difference       `json:"configuration"`
	Manifests     []Difference       `json:"manifests"`
	Commit        []Difference       `json:"commit"` // it is not part of their content
}

// Difference is a value that differs. An empty value does not exist on that side.
type Difference struct {
	Name string `json:"name"`
	From string `json:"from"`
	To   string `json:"to"`
}

// DiffReleases compares two releases; "latest" is the newest.
func (a *App) DiffReleases(ctx context.Context, from, to delivery.ReleaseID) (out ReleaseDiff, err error) {
	err = a.withSession(ctx, func(s *session) error {
		old, err := s.release(ctx, from)
		if err != nil {
			return err
		}
		other, err := s.release(ctx, to)
		if err != nil {
			return err
		}
		out = diffReleases(old, other)
		return nil
	})
	return out, err
}

func diffReleases(a, b delivery.ReleaseRecord) ReleaseDiff {
	out := ReleaseDiff{
		From: a.ID, To: b.ID, Same: a.ID == b.ID,
		Image:         diffValues(imageValues(a.Release.Image), imageValues(b.Release.Image)),
		Model:         diffValues(modelValues(a.Release.Model), modelValues(b.Release.Model)),
		Configuration: diffValues(workloadValues(a.Release.Workload), workloadValues(b.Release.Workload)),
		Manifests:     diffValues(objectValues(a.Release.Objects), objectValues(b.Release.Objects)),
	}
	out.Commit = diffValues(map[string]string{"commit": shownCommit(a)}, map[string]string{"commit": shownCommit(b)})
	return out
}

func shownCommit(r delivery.ReleaseRecord) string {
	if r.Origin.Dirty {
		return r.Origin.Commit + "+dirty"
	}
	return r.Origin.Commit
}

// diffValues compares two sets of named values, by name.
func diffValues(a, b map[string]string) []Difference {
	out := []Difference{}
	names := maps.Clone(a)
	maps.Copy(names, b)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if a[name] != b[name] {
			out = append(out, Difference{name, a[name], b[name]})
		}
	}
	return out
}

func imageValues(img delivery.Image) map[string]string {
	return map[string]string{"digest": string(img.Digest)}
}

func modelValues(m *delivery.ModelRef) map[string]string {
	if m == nil {
		return nil
	}
	return map[string]string{"version": m.String(), "digest": string(m.Digest)}
}

func workloadValues(w delivery.Workload) map[string]string {
	return flatten("", w)
}

// objectValues are the values in rendered manifests, under the kind and name of their
// object.
func objectValues(objects string) map[string]string {
	var all []map[string]any
	if objects == "" || json.Unmarshal([]byte(objects), &all) != nil {
		return nil
	}
	out := map[string]string{}
	for i, o := range all {
		meta, _ := o["metadata"].(map[string]any)
		name := fmt.Sprintf("%v %v", o["kind"], meta["name"])
		if meta["name"] == nil {
			name = "object " + strconv.Itoa(i+1)
		}
		maps.Copy(out, flatten(name, o))
	}
	return out
}

// flatten lists the values of a document by their paths: "spec.containers[0].image".
// name, which may be empty, comes before each path.
func flatten(name string, doc any) map[string]string {
	out := map[string]string{}
	raw, err := json.Marshal(doc)
	var v map[string]any
	if err != nil || json.Unmarshal(raw, &v) != nil {
		return out
	}
	if name != "" {
		name += " "
	}
	for field, value := range v {
		flattenInto(out, name+field, value)
	}
	return out
}

func flattenInto(out map[string]string, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for field, value := range v {
			flattenInto(out, path+"."+field, value)
		}
	case []any:
		for i, item := range v {
			flattenInto(out, fmt.Sprintf("%s[%d]", path, i), item)
		}
	case nil:
	default:
		out[path] = fmt.Sprint(v)
	}
}
