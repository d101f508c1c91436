package porttest

import (
	"context"
	"slices"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// pages is a list to read page by page.
type pages[T any] struct {
	list func(context.Context, port.Page) ([]T, port.Cursor, error)
	name func(T) string
	want []string // at least three entries, in order
	add  func()   // adds an entry before all others
}

// test wants pages without gaps and repetitions, whatever is added meanwhile.
func (p pages[T]) test(t *testing.T) {
	t.Helper()
	names := func(page port.Page) (out []string, next port.Cursor) {
		t.Helper()
		entries, next, err := p.list(t.Context(), page)
		for _, e := range must(t, entries, err) {
			out = append(out, p.name(e))
		}
		return out, next
	}
	all, end := names(port.Page{})
	wantEqual(t, "all on one page", all, p.want)
	wantEqual(t, "end of the only page", end, "")
	_, end = names(port.Page{Limit: len(p.want)})
	wantEqual(t, "end of a page that fits", end, "")

	first, next := names(port.Page{Limit: 2})
	wantEqual(t, "first page", first, p.want[:2])
	if next == "" {
		t.Error("the first page has no cursor, want one: the list goes on")
	}
	p.add()
	var rest []string
	for page := (port.Page{After: next, Limit: 1}); ; {
		some, next := names(page)
		rest = append(rest, some...)
		if page.After = next; next == "" {
			break
		}
	}
	wantEqual(t, "rest of the list, after an entry was added", rest, p.want[2:])
	var added []string
	for e, err := range port.All(t.Context(), p.list) {
		added = append(added, p.name(must(t, e, err)))
	}
	if len(added) != len(p.want)+1 || !slices.Equal(added[1:], p.want) {
		t.Errorf("list with the added entry = %q, want it before %q", added, p.want)
	}
	_, _, err := p.list(t.Context(), port.Page{After: "nonsense"})
	wantFault(t, "a cursor of another list", err, fault.Invalid)
}
