package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// largeRelease is the number of objects of a large release.
const largeRelease = 500

// measureResources counts the API calls of a deploy, with few objects and with many,
// all of which differ from those of the previous release.
func (b *bench) measureResources(ctx context.Context, f *contenders) error {
	counting, err := b.startProxy(ctx)
	if err != nil {
		return err
	}
	defer counting.close()
	for _, objects := range []int{serviceObjects, largeRelease} {
		s, err := f.newEnvironment(ctx, "Slipway, rolling", fmt.Sprintf("objects-%d", objects), "rolling", counting)
		if err != nil {
			return err
		}
		at, err := b.createNamespace(ctx, "kubectl apply and rollout status")
		if err == nil {
			err = at.createServiceAccount(ctx, counting)
		}
		if err != nil {
			return err
		}
		extra := func(r release) string { return extraObjects(objects-serviceObjects, r) }
		s.extraManifests = extra
		for _, c := range []deployer{s, kubectlDeployer{at, extra}} {
			if err := b.measureCalls(ctx, c, counting, objects); err != nil {
				return err
			}
		}
	}
	return nil
}

// measureCalls deploys two releases, and counts the calls of the second.
func (b *bench) measureCalls(ctx context.Context, c deployer, by *apiProxy, objects int) error {
	var t deployResult
	var err error
	for range 2 {
		by.reset()
		if t, err = c.deploy(ctx, b.newRelease(good)); err != nil || !t.succeeded {
			return fmt.Errorf("%s: %d objects: good: %t: %w", c.namespace().toolName, objects, t.succeeded, err)
		}
	}
	took, calls := t.finished.Sub(t.started), by.snapshot()
	b.logf("%s: %d objects: %.1f s: %s", c.namespace().toolName, objects, took.Seconds(), calls)
	b.Note(fmt.Sprintf("release of %d objects that all changed, %s: command done", objects, c.namespace().toolName), seconds(took))
	if s, ok := c.(*slipwayDeployer); ok {
		b.Note("  peak memory of the process", fmt.Sprintf("%.0f MB", float64(s.peakKB)/1e3))
	}
	if _, ok := c.(*slipwayDeployer); ok && objects == serviceObjects {
		b.Add("  calls to the API server", fmt.Sprintf("<= %d", maxCalls), calls.String(), calls.sum() <= maxCalls)
	} else {
		b.Note("  calls to the API server", calls.String())
	}
	b.Note("  most repeated calls", calls.topCalls())
	return nil
}

// maxCalls is the goal for the calls of a small release, without its watches.
const maxCalls = 40

func (c callCounts) sum() (n int) {
	for _, of := range c.byVerb {
		n += of
	}
	return n
}

// String returns the number of calls per verb, the most frequent first.
func (c callCounts) String() string {
	return fmt.Sprintf("%d (%s) and %d watches", c.sum(), strings.Join(byCount(c.byVerb), ", "), c.watches)
}

// topCalls returns the most frequent calls: polling repeats them.
func (c callCounts) topCalls() string {
	all := byCount(c.byTarget)
	return strings.Join(all[:min(3, len(all))], ", ")
}

// byCount returns the names with their counts, the highest first.
func byCount(numbers map[string]int) []string {
	names := slices.SortedFunc(maps.Keys(numbers), func(x, y string) int {
		return cmp.Or(numbers[y]-numbers[x], strings.Compare(x, y))
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, numbers[name])
	}
	return names
}

// serviceObjects is the number of objects of the tiny service itself.
const serviceObjects = 3

// extraObjects returns additional objects for a release: ConfigMaps with fixed names,
// and a Service for every 25 of them.
func extraObjects(n int, r release) string {
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
