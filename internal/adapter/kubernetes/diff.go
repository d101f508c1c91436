package kubernetes

import (
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Diff lets the API server try the release, and says what would become different.
func (t *Target) Diff(ctx context.Context, o port.DeployRequest) ([]port.Change, error) {
	c, err := t.connected()
	if err != nil {
		return nil, err
	}
	b, err := t.bundle(ctx, c, o)
	if err != nil {
		return nil, err
	}
	var out []port.Change
	coming := map[string]bool{}
	for _, obj := range append(append(append([]*unstructured.Unstructured{}, b.rest...), b.ours...), b.pinned(o.ID)...) {
		coming[key(obj)] = true
		change, err := c.change(ctx, obj, t.place.TakeOver)
		if err != nil {
			return nil, err
		}
		if change.Action != "" {
			out = append(out, change)
		}
	}
	going, err := t.leaving(ctx, c, o, coming)
	return append(out, going...), err
}

// change compares one object as it is with what it would be.
func (c *cluster) change(ctx context.Context, o *unstructured.Unstructured, force bool) (port.Change, error) {
	out := port.Change{Kind: o.GetKind(), Name: o.GetName()}
	k, err := c.kindOf(ctx, o.GroupVersionKind())
	if err != nil && !premature(err) {
		return out, err
	}
	var live *unstructured.Unstructured
	if err == nil {
		if live, err = c.get(ctx, k, o.GetNamespace(), o.GetName()); err != nil && !fault.Is(err, fault.Denied) {
			return out, err
		}
	}
	next, err := c.apply(ctx, o, manner{dry: true, force: force})
	if err != nil && (premature(err) || fault.Is(err, fault.Denied) && o.GetKind() == "Namespace") {
		next, err = o, nil
	}
	if err != nil {
		return out, err
	}
	before, after := plain(live), plain(next)
	switch {
	case live == nil:
		out.Action = "create"
	case before != after:
		out.Action = "change"
	default:
		return out, nil
	}
	out.Diff = lines(before, after)
	return out, nil
}

// leaving are objects of the release that serves which the order's lacks.
func (t *Target) leaving(ctx context.Context, c *cluster, o port.DeployRequest, coming map[string]bool) ([]port.Change, error) {
	s, err := c.state(ctx, o.Service, o.Environment)
	if err != nil || s.traffic == "" || s.traffic == o.ID {
		return nil, err
	}
	before, err := t.serving(ctx, c, s, o)
	if err != nil {
		if fault.Is(err, fault.NotFound) {
			return nil, nil
		}
		return nil, err
	}
	var out []port.Change
	for _, obj := range before.all {
		frozen, _, _ := unstructured.NestedBool(obj.Object, "immutable")
		if !lasting(obj) && !coming[key(obj)] && !frozen { // what is frozen stays, for the way back
			out = append(out, port.Change{Action: "remove", Kind: obj.GetKind(), Name: obj.GetName()})
		}
	}
	return out, nil
}

// plain is an object as text, without what a cluster keeps for itself and without
// the values of Secrets.
func plain(o *unstructured.Unstructured) string {
	if o == nil {
		return ""
	}
	c := o.DeepCopy()
	delete(c.Object, "status")
	for _, field := range []string{"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"} {
		unstructured.RemoveNestedField(c.Object, "metadata", field)
	}
	unstructured.RemoveNestedField(c.Object, "metadata", "annotations", "deployment.kubernetes.io/revision")
	// What only names the release is different every time, and no news.
	for _, mark := range []string{fenceMark, heldAnnotation, releaseLabel} {
		unstructured.RemoveNestedField(c.Object, "metadata", "annotations", mark)
	}
	unstructured.RemoveNestedField(c.Object, "spec", "selector", releaseLabel)
	if c.GetKind() == "Secret" {
		for _, field := range []string{"data", "stringData"} {
			if values, ok := c.Object[field].(map[string]any); ok {
				for k := range values {
					values[k] = "(not shown)"
				}
			}
		}
	}
	text, err := yaml.Marshal(c.Object)
	if err != nil {
		return ""
	}
	return string(text)
}

// context is how many equal lines stand around a difference.
const around = 2

// lines is what differs, line by line, with a little around it.
func lines(before, after string) string {
	a, b := split(before), split(after)
	table := longestCommon(a, b)
	var all []string
	var marks []bool
	add := func(mark, line string) {
		all, marks = append(all, mark+line), append(marks, mark != "  ")
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			add("  ", a[i])
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && table[i+1][j] >= table[i][j+1]:
			add("- ", a[i])
			i++
		default:
			add("+ ", b[j])
			j++
		}
	}
	var out []string
	for n := range all {
		for m := max(0, n-around); m <= min(len(all)-1, n+around); m++ {
			if marks[m] {
				out = append(out, all[n])
				break
			}
		}
	}
	return strings.Join(out, "\n")
}

func split(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// longestCommon tells for each pair of positions how many equal lines follow.
func longestCommon(a, b []string) [][]int {
	table := make([][]int, len(a)+1)
	for i := range table {
		table[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if table[i][j] = max(table[i+1][j], table[i][j+1]); a[i] == b[j] {
				table[i][j] = table[i+1][j+1] + 1
			}
		}
	}
	return table
}
