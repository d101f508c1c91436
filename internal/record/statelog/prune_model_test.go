package statelog_test

import (
	"fmt"
	"slices"
	"testing"
)

// The model of entries that are removed while two machines read and write. A machine may
// be paused at any time, for so long that entries that it has never seen are old enough
// to be removed; what it does in one go is as fast as the rules say (recency), or else it
// looks for prune points.

const maxPruneEntries = 4

type pruneMachine struct {
	view  int    // up to where it has read the log
	ghost bool   // its view has an entry that does not count
	fresh bool   // it has looked a moment ago
	sent  bool   // its entry view+1 is on its way, or there, and it has not been told
	built bool   // the entry was created, and the machine has not looked for prune points
	told  string // a promise that was broken
}

// pruneState is a log whose snapshots are after every entry.
type pruneState struct {
	length   int                   // entries that were ever added
	there    [maxPruneEntries]bool // and were not removed
	ghosts   [maxPruneEntries]bool // created again, where they were removed
	aged     int                   // entries that are older than the retention
	point    int                   // prune point
	machines [2]pruneMachine
}

type pruneRules struct {
	pointFirst  bool // the prune point is written before an entry is removed
	age         bool // only old entries are removed
	writersLook bool // a writer that was paused looks for prune points
	readersLook bool // a reader that was paused looks for prune points
}

func (s pruneState) next(r pruneRules) []pruneState {
	var all []pruneState
	do := func(change func(*pruneState)) {
		t := s
		change(&t)
		all = append(all, t)
	}
	if s.aged < s.length { // time passes: who looked before that was paused
		do(func(t *pruneState) {
			t.aged++
			t.machines[0].fresh, t.machines[1].fresh = false, false
		})
	}
	prunable := s.length - 1 // a newer snapshot stays
	if r.age {
		prunable = min(prunable, s.aged)
	}
	for n := s.point + 1; n <= prunable; n++ {
		do(func(t *pruneState) { t.point = n })
	}
	removable := s.point
	if !r.pointFirst {
		removable = max(removable, prunable)
	}
	for n := 1; n <= removable; n++ {
		if s.there[n-1] {
			do(func(t *pruneState) { t.there[n-1] = false })
		}
	}
	for i := range s.machines {
		m := s.machines[i]
		switch {
		case m.told != "":
		case m.built:
			do(func(t *pruneState) { t.acknowledge(i, r) })
		case m.sent:
			do(func(t *pruneState) { t.land(i) })
		default:
			do(func(t *pruneState) { t.read(i, r) })
			if m.view < maxPruneEntries {
				do(func(t *pruneState) { t.machines[i].sent = true })
			}
		}
	}
	return all
}

// land creates the machine's entry, unless its number is taken.
func (s *pruneState) land(i int) {
	m := &s.machines[i]
	m.sent = false
	n := m.view + 1
	switch {
	case n <= s.length && (s.there[n-1] || s.ghosts[n-1]):
	case n <= s.length:
		s.ghosts[n-1] = true
		m.built = true
	case n == s.length+1 && !m.ghost:
		s.length, s.there[n-1] = n, true
		m.built = true
	}
}

// acknowledge tells the writer of an entry that it counts.
func (s *pruneState) acknowledge(i int, r pruneRules) {
	m := &s.machines[i]
	m.built = false
	n := m.view + 1
	if s.point >= n && !m.fresh && r.writersLook {
		return // it is taken: read again
	}
	m.view = n
	if s.ghosts[n-1] {
		m.ghost, m.told = true, fmt.Sprintf("entry %d was acknowledged, and does not count", n)
	}
}

// read follows the log up to the first number that is missing.
func (s *pruneState) read(i int, r pruneRules) {
	m := &s.machines[i]
	at, ghost := m.view, m.ghost
	for at < s.length && (s.there[at] || s.ghosts[at]) {
		ghost = s.ghosts[at]
		at++
		if ghost && at < s.length && s.there[at] {
			at, ghost = s.length, false // the next entry does not follow it: a snapshot
		}
	}
	if s.point > at && !m.fresh && r.readersLook {
		at, ghost = s.length, false // the newest snapshot, and what follows it
	}
	m.view, m.ghost, m.fresh = at, ghost, true
	switch {
	case at < s.length:
		m.told = fmt.Sprintf("the state after entry %d of %d was taken for the newest one", at, s.length)
	case ghost:
		m.told = "an entry that does not count was read"
	}
}

func explorePruning(r pruneRules) (states int, broken string) {
	seen := map[pruneState]bool{{}: true}
	for todo := []pruneState{{}}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, m := range s.machines {
			if m.told != "" {
				return len(seen), m.told
			}
		}
		for _, t := range s.next(r) {
			if !seen[t] {
				seen[t] = true
				todo = append(todo, t)
			}
		}
	}
	return len(seen), ""
}

// TestPruneModel checks every order of reads, changes, pauses and removals; without one
// of the rules, what was acknowledged is lost, or an old state is taken for the newest.
func TestPruneModel(t *testing.T) {
	all := pruneRules{pointFirst: true, age: true, writersLook: true, readersLook: true}
	states, broken := explorePruning(all)
	if broken != "" || states < 1000 {
		t.Errorf("%d states, broken: %q, want all of them without", states, broken)
	}
	t.Logf("%d states", states)
	var unnoticed []string
	for name, mutate := range map[string]func(*pruneRules){
		"removes before the point is written": func(r *pruneRules) { r.pointFirst = false },
		"removes young entries":               func(r *pruneRules) { r.age = false },
		"writers do not look":                 func(r *pruneRules) { r.writersLook = false },
		"readers do not look":                 func(r *pruneRules) { r.readersLook = false },
	} {
		r := all
		mutate(&r)
		if _, broken := explorePruning(r); broken == "" {
			unnoticed = append(unnoticed, name)
		}
	}
	slices.Sort(unnoticed)
	if len(unnoticed) > 0 {
		t.Errorf("the model does not notice these mutants: %q", unnoticed)
	}
}
