package randommanifests

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sequence draws some releases.
func sequence(seed uint64, releases int) (sets []Set, drawn []string) {
	random := rand.New(rand.NewPCG(seed, 1))
	sets = append(sets, First())
	for n := range releases {
		next, kinds := sets[n].Next(random, n+2)
		sets, drawn = append(sets, next), append(drawn, kinds...)
	}
	return sets, drawn
}

func TestSet_NextRepeats(t *testing.T) {
	first, _ := sequence(3, 20)
	again, _ := sequence(3, 20)
	other, _ := sequence(4, 20)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the same seed draws another sequence (-first +again):\n%s", diff)
	}
	if cmp.Equal(first, other) {
		t.Error("two seeds draw the same sequence")
	}
}

// TestSet_NextDrawsAllKinds: as many releases as a soak deploys draw every kind.
func TestSet_NextDrawsAllKinds(t *testing.T) {
	_, drawn := sequence(1, 600)
	for _, kind := range Kinds() {
		if !slices.Contains(drawn, kind) {
			t.Errorf("%q was not drawn in 600 releases", kind)
		}
	}
}

// TestSet_NextSharesNothing: a set stays what it was when the next one is drawn.
func TestSet_NextSharesNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 1))
	set := First()
	for n := range 200 {
		before := set.YAML("sample", "registry.test")
		next, _ := set.Next(random, n+2)
		if after := set.YAML("sample", "registry.test"); after != before {
			t.Fatalf("drawing %s changed %s (-before +after):\n%s", next.Version, set.Version, cmp.Diff(before, after))
		}
		set = next
	}
}
