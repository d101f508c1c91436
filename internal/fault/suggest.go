package fault

import (
	"fmt"
	"sort"
	"strings"
)

// DidYouMean is a hint for an unknown word: the nearest of the known ones if one
// is near enough, and otherwise the list of them.
func DidYouMean(word string, known []string) string {
	if near, ok := Nearest(word, known); ok {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if len(known) == 0 {
		return ""
	}
	return "available: " + Enumerate(known)
}

// Nearest returns the known word that word is most likely a misspelling of.
func Nearest(word string, known []string) (string, bool) {
	best, least := "", 1+min(2, len(word)/3)
	for _, k := range sorted(known) {
		if len(k) > 100 || len(word) > 100 {
			continue
		}
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	return best, best != ""
}

// Enumerate lists words, sorted, at most twelve of them.
func Enumerate(words []string) string {
	const maxListed = 12
	s := sorted(words)
	if len(s) > maxListed {
		return strings.Join(s[:maxListed], ", ") + fmt.Sprintf(" and %d more", len(s)-maxListed)
	}
	return strings.Join(s, ", ")
}

func sorted(words []string) []string {
	s := append([]string(nil), words...)
	sort.Strings(s)
	return s
}

// distance is the number of letters to insert, remove, replace or swap with their
// neighbor to turn a into b.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}
