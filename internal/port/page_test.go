package port_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/slipway-cd/slipway/internal/port"
)

// numbers lists 0 to n-1 in pages of at most two.
func numbers(n int) func(context.Context, port.Page) ([]int, port.Cursor, error) {
	return func(_ context.Context, p port.Page) (out []int, next port.Cursor, err error) {
		start := 0
		if p.After != "" {
			if start, err = strconv.Atoi(string(p.After)); err != nil {
				return nil, "", err
			}
		}
		for i := start; i < min(n, start+2); i++ {
			out = append(out, i)
		}
		if start+2 < n {
			next = port.Cursor(strconv.Itoa(start + 2))
		}
		return out, next, nil
	}
}

func TestAll(t *testing.T) {
	for n, want := range [][]int{nil, {0}, {0, 1}, {0, 1, 2}, {0, 1, 2, 3}, {0, 1, 2, 3, 4}} {
		if got, err := port.Collect(port.All(t.Context(), numbers(n))); err != nil || !slices.Equal(got, want) {
			t.Errorf("Collect of %d: %v, %v, want %v", n, got, err, want)
		}
	}
	var seen []int
	for i := range port.All(t.Context(), numbers(9)) {
		if seen = append(seen, i); i == 3 {
			break
		}
	}
	if !slices.Equal(seen, []int{0, 1, 2, 3}) {
		t.Errorf("before the break: %v, want 0 to 3", seen)
	}
}

func TestFirst(t *testing.T) {
	for n, want := range map[int][]int{0: {0, 1, 2, 3, 4}, 1: {0}, 2: {0, 1}, 3: {0, 1, 2}, 9: {0, 1, 2, 3, 4}} {
		read := 0
		counted := func(ctx context.Context, p port.Page) ([]int, port.Cursor, error) {
			read++
			return numbers(5)(ctx, p)
		}
		if got, err := port.First(n, port.All(t.Context(), counted)); err != nil || !slices.Equal(got, want) {
			t.Errorf("First(%d) = %v, %v, want %v", n, got, err, want)
		}
		if pages := (len(want) + 1) / 2; read != pages {
			t.Errorf("First(%d) read %d pages, want %d", n, read, pages)
		}
	}
}

func TestAll_Fails(t *testing.T) {
	broken := errors.New("broken")
	list := func(_ context.Context, p port.Page) ([]int, port.Cursor, error) {
		if p.After != "" {
			return nil, "", broken
		}
		return []int{1}, "next", nil
	}
	if got, err := port.Collect(port.All(t.Context(), list)); got != nil || !errors.Is(err, broken) {
		t.Errorf("Collect: %v, %v, want the error of the second page", got, err)
	}
}

func TestPage_Size(t *testing.T) {
	for limit, want := range map[int]int{-1: port.DefaultPageSize, 0: port.DefaultPageSize, 1: 1, 500: 500} {
		if got := (port.Page{Limit: limit}).Size(); got != want {
			t.Errorf("Size with limit %d = %d, want %d", limit, got, want)
		}
	}
}
