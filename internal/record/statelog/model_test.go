package statelog_test

import (
	"fmt"
	"slices"
	"testing"
)

// The model of two machines that work on one run, and of the log that they share. Time
// is what the rules say of it: an owner's deadline passes at any moment, and only after
// that may its beats be too old for others.

// modelEntry is what the log holds: a claim on the run, or a change in its name.
type modelEntry struct {
	claim bool
	epoch int
}

// inFlight is an append that was sent: it may land at any time, or never, even after
// its sender has given up or was paused.
type inFlight struct {
	sent  bool
	n     int // its number
	entry modelEntry
}

type modelOwner struct {
	view     int  // up to where it has read the log
	epoch    int  // of its claim; 0: none
	paused   bool // it does nothing, and notices nothing
	late     bool // its deadline has passed
	decided  bool // it is about to make a change, and has looked at the time before
	flight   inFlight
	acks     int // changes that it was told are in the log
	violated string
}

const (
	maxModelEntries = 5
	maxModelEpoch   = 3
)

type modelState struct {
	log    [maxModelEntries]modelEntry
	length int
	owners [2]modelOwner
}

// rules are the protocol; a mutant lacks one.
type rules struct {
	guard       bool // a change is made in the name of the newest claim that the view has
	conditional bool // an entry is created only if its number is free
	deadline    bool // an owner whose deadline has passed does nothing more
	patience    bool // a claim waits until the owner's deadline has passed
}

// claimOf returns the newest epoch in the first n entries.
func (s modelState) claimOf(n int) int {
	newest := 0
	for _, e := range s.log[:n] {
		if e.claim {
			newest = max(newest, e.epoch)
		}
	}
	return newest
}

// next returns the states that one action leads to.
func (s modelState) next(r rules) []modelState {
	var all []modelState
	do := func(change func(*modelState)) {
		t := s
		change(&t)
		all = append(all, t)
	}
	for i := range s.owners {
		o := s.owners[i]
		if o.flight.sent {
			do(func(t *modelState) { t.land(i, r) })
			do(func(t *modelState) { t.owners[i].flight = inFlight{} }) // lost
		}
		if o.epoch > 0 && !o.late {
			do(func(t *modelState) { t.owners[i].late = true })
		}
		if o.paused {
			do(func(t *modelState) { t.owners[i].paused = false })
			continue
		}
		do(func(t *modelState) { t.owners[i].paused = true })
		if o.view < s.length {
			do(func(t *modelState) { t.owners[i].view = s.length })
		}
		if o.flight.sent || o.view >= maxModelEntries {
			continue
		}
		guarded := !r.guard || s.claimOf(o.view) == o.epoch
		if o.epoch > 0 && (!o.late || !r.deadline) && guarded {
			do(func(t *modelState) { t.owners[i].decided = true })
			do(func(t *modelState) { t.effect(i) })
		}
		if o.decided && guarded { // maybe long after it has decided
			do(func(t *modelState) {
				t.owners[i].decided = false
				t.owners[i].flight = inFlight{true, o.view + 1, modelEntry{epoch: o.epoch}}
			})
		}
		if seen := s.claimOf(o.view); s.mayClaim(i, seen, r) {
			do(func(t *modelState) {
				t.owners[i].flight = inFlight{true, o.view + 1, modelEntry{claim: true, epoch: seen + 1}}
			})
		}
	}
	return all
}

// mayClaim reports whether the owner of the newest claim that is seen may be replaced.
func (s modelState) mayClaim(i, seen int, r rules) bool {
	if seen >= maxModelEpoch {
		return false
	}
	for j, other := range s.owners {
		if other.epoch == seen && seen > 0 && (j == i && !other.late || j != i && r.patience && !other.late) {
			return false
		}
	}
	return true
}

// land brings what was sent to the log, if its number is free.
func (s *modelState) land(i int, r rules) {
	o := &s.owners[i]
	f := o.flight
	o.flight = inFlight{}
	switch {
	case f.n == s.length+1:
		s.length++
	case r.conditional || f.n > s.length:
		return // taken
	}
	s.log[f.n-1] = f.entry
	if f.entry.claim {
		o.epoch, o.late, o.decided = f.entry.epoch, false, false
	} else {
		o.acks++
	}
	o.view = max(o.view, f.n)
}

// effect is what an owner does outside of the log.
func (s *modelState) effect(i int) {
	if newest := s.claimOf(s.length); newest != s.owners[i].epoch {
		s.owners[i].violated = fmt.Sprintf("the owner of epoch %d worked after epoch %d was claimed", s.owners[i].epoch, newest)
	}
}

// broken returns which promise the state breaks, or "".
func (s modelState) broken() string {
	changes, newest := map[int]int{}, 0
	for _, e := range s.log[:s.length] {
		switch {
		case e.claim && e.epoch != newest+1:
			return fmt.Sprintf("epoch %d was claimed after %d", e.epoch, newest)
		case e.claim:
			newest = e.epoch
		case e.epoch != newest:
			return fmt.Sprintf("a change of epoch %d came after the claim of %d", e.epoch, newest)
		}
	}
	for _, e := range s.log[:s.length] {
		if !e.claim {
			changes[e.epoch]++
		}
	}
	told := 0
	for _, o := range s.owners {
		told += o.acks
		if o.violated != "" {
			return o.violated
		}
	}
	total := 0
	for _, n := range changes {
		total += n
	}
	if told > total {
		return fmt.Sprintf("%d changes were acknowledged, and %d are in the log", told, total)
	}
	return ""
}

// explore visits every state that can be reached, and returns the first promise that
// one breaks.
func explore(r rules) (states int, broken string) {
	seen := map[modelState]bool{{}: true}
	for todo := []modelState{{}}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if why := s.broken(); why != "" {
			return len(seen), why
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

// TestModel checks every order of claims, changes, effects, pauses and lost answers of
// two machines; without one of the rules, a promise is broken.
func TestModel(t *testing.T) {
	all := rules{guard: true, conditional: true, deadline: true, patience: true}
	states, broken := explore(all)
	if broken != "" || states < 1000 {
		t.Errorf("%d states, broken: %q, want all of them without", states, broken)
	}
	t.Logf("%d states", states)
	mutants := map[string]func(*rules){
		"no guard":       func(r *rules) { r.guard = false },
		"no condition":   func(r *rules) { r.conditional = false },
		"no deadline":    func(r *rules) { r.deadline = false },
		"no patience":    func(r *rules) { r.patience = false },
		"nothing at all": func(r *rules) { *r = rules{} },
	}
	var names []string
	for name, mutate := range mutants {
		r := all
		mutate(&r)
		if _, broken := explore(r); broken == "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if len(names) > 0 {
		t.Errorf("the model does not notice these mutants: %q", names)
	}
}
