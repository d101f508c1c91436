package house

import (
	"maps"
	"slices"
)

// upward lays the files in an order with few edges that point upwards, and
// returns those. The order is Eades, Lin and Smyth's (A fast and effective
// heuristic for the feedback arc set problem, 1993), then each file is moved to
// where the fewest of its edges point upwards until nothing is gained.
func upward(edges []Edge) []Edge {
	order := improve(layered(edges), edges)
	at := positions(order)
	var out []Edge
	for _, e := range edges {
		if at[e.From] > at[e.To] {
			out = append(out, e)
		}
	}
	return out
}

// layered orders the files from the top down: who uses comes before who is used.
func layered(edges []Edge) []string {
	left := map[string]bool{}
	for _, e := range edges {
		left[e.From], left[e.To] = true, true
	}
	var top, bottom []string
	for len(left) > 0 {
		in, out := degrees(edges, left)
		names := slices.Sorted(maps.Keys(left))
		best := names[0]
		for _, n := range names {
			if out[n]-in[n] > out[best]-in[best] {
				best = n
			}
		}
		sink, source := first(names, out), first(names, in)
		switch {
		case sink != "":
			bottom = append(bottom, sink)
			delete(left, sink)
		case source != "":
			top = append(top, source)
			delete(left, source)
		default:
			top = append(top, best)
			delete(left, best)
		}
	}
	slices.Reverse(bottom)
	return append(top, bottom...)
}

func degrees(edges []Edge, left map[string]bool) (in, out map[string]int) {
	in, out = map[string]int{}, map[string]int{}
	for _, e := range edges {
		if left[e.From] && left[e.To] {
			out[e.From]++
			in[e.To]++
		}
	}
	return in, out
}

func first(names []string, degree map[string]int) string {
	for _, n := range names {
		if degree[n] == 0 {
			return n
		}
	}
	return ""
}

// improve moves single files as long as that saves an edge.
func improve(order []string, edges []Edge) []string {
	for gained := true; gained; {
		gained = false
		for _, name := range slices.Clone(order) {
			from := slices.Index(order, name)
			best, least := order, count(order, edges)
			for to := range order {
				moved := slices.Insert(slices.Delete(slices.Clone(order), from, from+1), to, name)
				if n := count(moved, edges); n < least {
					best, least, gained = moved, n, true
				}
			}
			order = best
		}
	}
	return order
}

func count(order []string, edges []Edge) int {
	at, n := positions(order), 0
	for _, e := range edges {
		if at[e.From] > at[e.To] {
			n++
		}
	}
	return n
}

func positions(order []string) map[string]int {
	at := map[string]int{}
	for i, n := range order {
		at[n] = i
	}
	return at
}
