package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// many is how many objects a large release has.
const many = 500

// cost counts what one deploy asks of the cluster, with few objects and with many.
// All of them differ from the release before, for kubectl as well.
func (b *bench) cost(ctx context.Context, f *field) error {
	counting, err := b.server(ctx)
	if err != nil {
		return err
	}
	defer counting.close()
	for _, objects := range []int{few, many} {
		s, err := f.project(ctx, "Slipway, rolling", fmt.Sprintf("objects-%d", objects), "rolling", counting)
		if err != nil {
			return err
		}
		at, err := b.place(ctx, "kubectl apply and rollout status")
		if err == nil {
			err = at.account(ctx, counting)
		}
		if err != nil {
			return err
		}
		extra := func(r release) string { return others(objects-few, r) }
		s.extra = extra
		for _, c := range []contender{s, plain{at, extra}} {
			if err := b.counted(ctx, c, counting, objects); err != nil {
				return err
			}
		}
	}
	return nil
}

// counted brings two releases in, and counts the second.
func (b *bench) counted(ctx context.Context, c contender, by *server, objects int) error {
	var t told
	var err error
	for range 2 {
		by.reset()
		if t, err = c.deploy(ctx, b.release(good)); err != nil || !t.good {
			return fmt.Errorf("%s: %d objects: good: %t: %w", c.place().name, objects, t.good, err)
		}
	}
	took, calls := t.ended.Sub(t.begun), by.taken()
	b.say("%s: %d objects: %.1f s: %s", c.place().name, objects, took.Seconds(), calls)
	b.Note(fmt.Sprintf("release of %d objects that all changed, %s: command done", objects, c.place().name), seconds(took))
	if s, ok := c.(*project); ok {
		b.Note("  peak memory of the process", fmt.Sprintf("%.0f MB", float64(s.peak)/1e3))
	}
	b.Note("  calls of the API server", calls.String())
	b.Note("  the same call again and again", calls.most())
	return nil
}

// String is how many calls there were of each verb, the most frequent first.
func (c calls) String() string {
	sum := 0
	for _, n := range c.verbs {
		sum += n
	}
	return fmt.Sprintf("%d (%s) and %d watches", sum, strings.Join(ranked(c.verbs), ", "), c.watches)
}

// most are the calls that were made most often: who polls makes them again and again.
func (c calls) most() string {
	all := ranked(c.same)
	return strings.Join(all[:min(3, len(all))], ", ")
}

// ranked are the names with their numbers, the highest first.
func ranked(numbers map[string]int) []string {
	names := slices.SortedFunc(maps.Keys(numbers), func(x, y string) int {
		return cmp.Or(numbers[y]-numbers[x], strings.Compare(x, y))
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, numbers[name])
	}
	return names
}

// few is how many objects the tiny service has by itself.
const few = 3

// others are further objects of a release: configuration under fixed names, and a
// Service for every 25 of them.
func others(n int, r release) string {
	var text strings.Builder
	for i := range n {
		if i%25 == 0 {
			fmt.Fprintf(&text, "---\napiVersion: v1\nkind: Service\nmetadata: {name: other-%d, annotations: {release: %s}}\nspec: {selector: {app: tiny}, ports: [{port: 80, targetPort: http}]}\n", i, r.name)
			continue
		}
		fmt.Fprintf(&text, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: other-%d, annotations: {slipway.dev/keep-name: \"true\"}}\ndata: {release: %s, text: %s}\n", i, r.name, strings.Repeat("x", 200))
	}
	return text.String()
}
