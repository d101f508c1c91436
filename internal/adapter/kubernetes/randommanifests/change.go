package randommanifests

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// change is one way in which a release differs from the one before.
type change struct {
	name   string
	weight int
	apply  func(*rand.Rand, *Set) bool // false: there is nothing of this kind to change
}

// maxChanges is how many kinds of change one release combines.
const maxChanges = 3

// Next returns the release after s, and the kinds of change and defects that were
// drawn. What is wrong with s is not carried on.
func (s Set) Next(random *rand.Rand, number int) (Set, []string) {
	next := s.clone()
	next.Version, next.Defect = fmt.Sprintf("v%d", number), Sound
	var drawn []string
	for range 1 + random.IntN(maxChanges) {
		c := pick(random, changes(), func(c change) int { return c.weight })
		if !slices.Contains(drawn, c.name) && c.apply(random, &next) {
			drawn = append(drawn, c.name)
		}
	}
	if d := pick(random, defects(), func(d defect) int { return d.weight }); d.defect != Sound && d.possible(next) {
		next.Defect = d.defect
		drawn = append(drawn, string(d.defect))
	}
	return next, drawn
}

// Kinds returns the names of all that Next draws.
func Kinds() []string {
	var out []string
	for _, c := range changes() {
		out = append(out, c.name)
	}
	for _, d := range defects() {
		if d.defect != Sound {
			out = append(out, string(d.defect))
		}
	}
	return out
}

func changes() []change {
	return []change{
		{"worker added", 4, addWorker},
		{"worker dropped", 6, dropWorker},
		{"worker renamed", 3, func(r *rand.Rand, s *Set) bool { return dropWorker(r, s) && addWorker(r, s) }},
		{"deployment renamed", 2, renameDeployment},
		{"companion added", 3, addCompanion},
		{"companion dropped", 4, dropCompanion},
		{"job added or changed", 3, func(r *rand.Rand, s *Set) bool { s.Job = fmt.Sprintf("to-%d", r.IntN(1000)); return true }},
		{"job dropped", 2, func(_ *rand.Rand, s *Set) bool { had := s.Job != ""; s.Job = ""; return had }},
		{"port renamed", 2, renamePort},
		{"admin port added or dropped", 2, func(_ *rand.Rand, s *Set) bool { s.AdminPort = !s.AdminPort; return true }},
		{"probes changed", 3, changeProbes},
		{"autoscaler added", 3, addAutoscaler},
		{"autoscaler dropped", 3, dropAutoscaler},
		{"replicas changed", 3, changeReplicas},
		{"replicas left out", 2, func(_ *rand.Rand, s *Set) bool { had := s.Replicas > 0; s.Replicas = 0; return had }},
		{"budget added or dropped", 1, func(_ *rand.Rand, s *Set) bool { s.Budget = !s.Budget; return true }},
		{"configuration changed", 2, func(r *rand.Rand, s *Set) bool { s.Greeting = fmt.Sprintf("hello-%d", r.IntN(1000)); return true }},
		{"configuration dropped", 1, func(_ *rand.Rand, s *Set) bool { had := s.Greeting != ""; s.Greeting = ""; return had }},
	}
}

func addWorker(r *rand.Rand, s *Set) bool {
	name := fmt.Sprintf("worker-%d", r.IntN(100))
	if len(s.Workers) == 2 || slices.Contains(s.Workers, name) {
		return false
	}
	s.Workers = append(s.Workers, name)
	return true
}

func dropWorker(r *rand.Rand, s *Set) bool { return dropOne(r, &s.Workers) }

// dropOne removes an item of a list, and reports whether it had any.
func dropOne[T any](r *rand.Rand, list *[]T) bool {
	if len(*list) == 0 {
		return false
	}
	i := r.IntN(len(*list))
	*list = slices.Delete(*list, i, i+1)
	return true
}

func renameDeployment(r *rand.Rand, s *Set) bool {
	before := s.Deployment
	s.Deployment = fmt.Sprintf("web-%d", r.IntN(100))
	return s.Deployment != before
}

func addCompanion(r *rand.Rand, s *Set) bool {
	kinds := []string{"StatefulSet", "DaemonSet", "CronJob"}
	c := Companion{kinds[r.IntN(len(kinds))], fmt.Sprintf("aside-%d", r.IntN(100))}
	if len(s.Companions) == 2 || slices.Contains(s.Companions, c) {
		return false
	}
	s.Companions = append(s.Companions, c)
	return true
}

func dropCompanion(r *rand.Rand, s *Set) bool { return dropOne(r, &s.Companions) }

func renamePort(r *rand.Rand, s *Set) bool {
	before, names := s.Port, []string{"http", "web", "http-api"}
	s.Port = names[r.IntN(len(names))]
	return s.Port != before
}

func changeProbes(r *rand.Rand, s *Set) bool {
	before, all := s.Probes, []Probes{ProbeHTTP, ProbeTCP, ProbeStartup, ProbeLiveness}
	s.Probes = all[r.IntN(len(all))]
	return s.Probes != before
}

// addAutoscaler hands the number of replicas to the autoscaler, as its users are told
// to, or forgets to.
func addAutoscaler(r *rand.Rand, s *Set) bool {
	had := s.Autoscaler
	s.Autoscaler = true
	if r.IntN(3) > 0 {
		s.Replicas = 0
	}
	return !had
}

func dropAutoscaler(r *rand.Rand, s *Set) bool {
	had := s.Autoscaler
	s.Autoscaler, s.Replicas = false, 1+r.IntN(3)
	return had
}

func changeReplicas(r *rand.Rand, s *Set) bool {
	before := s.Replicas
	s.Replicas = 1 + r.IntN(3)
	return s.Replicas != before && !s.Autoscaler
}

// defect is what may be wrong with a release.
type defect struct {
	defect   Defect
	weight   int
	possible func(Set) bool
}

func defects() []defect {
	always := func(Set) bool { return true }
	return []defect{
		{Sound, 14, always},
		{Crashes, 2, always},
		{NeverReady, 1, func(s Set) bool { return s.Probes != ProbeTCP }},
		{ImageMissing, 1, always},
		{WorkerCrashes, 3, func(s Set) bool { return len(s.Workers) > 0 }},
		{JobFails, 3, func(s Set) bool { return s.Job != "" }},
		{FieldUnknown, 1, always},
	}
}

// pick draws one of all by weight.
func pick[T any](random *rand.Rand, all []T, weight func(T) int) T {
	sum := 0
	for _, one := range all {
		sum += weight(one)
	}
	n := random.IntN(sum)
	for _, one := range all {
		if n -= weight(one); n < 0 {
			return one
		}
	}
	return all[len(all)-1]
}
