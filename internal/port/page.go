package port

import (
	"context"
	"iter"
)

// DefaultPageSize is how many entries a list returns unless told otherwise.
const DefaultPageSize = 100

// Cursor is a place in a list, as the list itself gave it; empty is the start. It
// stays valid when entries are added or removed.
type Cursor string

// Page is a part of a list.
type Page struct {
	After Cursor
	Limit int // entries; 0: DefaultPageSize
}

// Size returns how many entries the page has at most.
func (p Page) Size() int {
	if p.Limit <= 0 {
		return DefaultPageSize
	}
	return p.Limit
}

// All returns the entries of all pages of a list, one page at a time. It ends at the
// first error.
func All[T any](ctx context.Context, list func(context.Context, Page) ([]T, Cursor, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for page := (Page{}); ; {
			entries, next, err := list(ctx, page)
			if err != nil {
				yield(*new(T), err)
				return
			}
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			page.After = next
		}
	}
}

// First returns the first n entries of a sequence; 0: all. It reads no page that they
// do not need.
func First[T any](n int, entries iter.Seq2[T, error]) ([]T, error) {
	var first []T
	for e, err := range entries {
		if err != nil {
			return nil, err
		}
		if first = append(first, e); len(first) == n {
			break
		}
	}
	return first, nil
}

// Collect returns the entries of a sequence, or its first error.
func Collect[T any](entries iter.Seq2[T, error]) ([]T, error) {
	return First(0, entries)
}
