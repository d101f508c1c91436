package opinion

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Difference is how an operation is answered otherwise than by the AWS of the tests.
type Difference struct {
	Operation string // "SERVICE.*": the whole service
	Differs   string
}

// Compare returns the differences in what the same code was answered, once each: ours and
// theirs are the answers of each of its steps. What the other one answers beyond ours is
// none: AWS sends more than Slipway reads.
func Compare(ours, theirs [][]Answer) (all []Difference) {
	missing := missingServices(ours, theirs)
	for _, service := range slices.Sorted(maps.Keys(missing)) {
		all = append(all, Difference{service + ".*", missing[service]})
	}
	reached := operationsOf(slices.Concat(theirs...))
	for i := range ours {
		for _, operation := range operationsOf(ours[i]) {
			service, _, _ := strings.Cut(operation, ".")
			if missing[service] != "" {
				continue
			}
			texts := compareCalls(of(ours[i], operation), of(theirs[i], operation))
			if !slices.Contains(reached, operation) {
				texts = []string{"is not reached"}
			}
			for _, text := range texts {
				if d := (Difference{operation, text}); !slices.Contains(all, d) {
					all = append(all, d)
				}
			}
		}
	}
	return all
}

// operationsOf lists the operations in the order of their first answers.
func operationsOf(answers []Answer) (all []string) {
	for _, a := range answers {
		if !slices.Contains(all, a.Operation) {
			all = append(all, a.Operation)
		}
	}
	return all
}

// of returns the answers for an operation, but one of several attempts.
func of(answers []Answer, operation string) (all []Answer) {
	for _, a := range answers {
		if a.Operation != operation {
			continue
		}
		if n := len(all); n > 0 && a.Status/100 != 2 && all[n-1].Status == a.Status && all[n-1].Code == a.Code {
			continue
		}
		all = append(all, a)
	}
	return all
}

func compareCalls(ours, theirs []Answer) (all []string) {
	for i := range min(len(ours), len(theirs)) {
		a, b := ours[i], theirs[i]
		if a.Status/100 != b.Status/100 || a.Code != b.Code {
			all = append(all, fmt.Sprintf("%s, not %s", outcome(b), outcome(a)))
			continue
		}
		if a.Status != b.Status {
			all = append(all, fmt.Sprintf("HTTP %d, not %d", b.Status, a.Status))
		}
		var lacks []string
		for _, member := range a.Members {
			parent := strings.TrimSuffix(member[:max(0, strings.LastIndexByte(member, '.'))], "[]")
			if !slices.Contains(b.Members, member) && (parent == "" || slices.Contains(b.Members, parent) || !slices.Contains(a.Members, parent)) {
				lacks = append(lacks, member)
			}
		}
		if len(lacks) > 0 {
			all = append(all, "lacks "+strings.Join(lacks, ", "))
		}
		for _, text := range b.Wrong {
			all = append(all, "sends what the model refuses: "+text)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func outcome(a Answer) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", a.Status, a.Code))
}

// missingServices are those that answer every operation alike, and none with success.
func missingServices(ours, theirs [][]Answer) map[string]string {
	all := map[string]string{}
	for service := range succeeded(ours) {
		said := map[string]bool{}
		for _, answers := range theirs {
			for _, a := range answers {
				if strings.HasPrefix(a.Operation, service+".") {
					said[outcome(a)] = true
				}
			}
		}
		if text := slices.Sorted(maps.Keys(said)); len(text) == 1 && text[0][0] != '2' {
			all[service] = "the service is missing: " + text[0]
		}
	}
	return all
}

func succeeded(steps [][]Answer) map[string]bool {
	all := map[string]bool{}
	for _, answers := range steps {
		for _, a := range answers {
			if service, _, _ := strings.Cut(a.Operation, "."); a.Status/100 == 2 {
				all[service] = true
			}
		}
	}
	return all
}

// Covered are the operations that were answered with success.
func Covered(steps [][]Answer) []string {
	all := map[string]bool{}
	for _, answers := range steps {
		for _, a := range answers {
			if a.Status/100 == 2 {
				all[a.Operation] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}
