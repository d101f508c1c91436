package kubernetes

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	for _, c := range []struct{ name, before, after, want string }{
		{"same", "a\nb\n", "a\nb\n", ""},
		{"nothing", "", "", ""},
		{"new", "", "a\nb\n", "+ a\n+ b"},
		{"gone", "a\nb\n", "", "- a\n- b"},
		{"changed", "a\nb\nc\n", "a\nB\nc\n", "  a\n- b\n+ B\n  c"},
		{"only a little around it", "1\n2\n3\n4\nx\n5\n6\n7\n", "1\n2\n3\n4\ny\n5\n6\n7\n", "  3\n  4\n- x\n+ y\n  5\n  6"},
		{"two places", "x\n1\n2\n3\n4\n5\nx\n", "y\n1\n2\n3\n4\n5\ny\n", "- x\n+ y\n  1\n  2\n  4\n  5\n- x\n+ y"},
		{"inserted", "a\nc\n", "a\nb\nc\n", "  a\n+ b\n  c"},
	} {
		if got := lines(c.before, c.after); got != c.want {
			t.Errorf("%s:\n%s\nwant:\n%s", c.name, got, c.want)
		}
	}
}

// TestLinesTellAll: from what was before and the marks, what is after follows.
func TestLinesTellAll(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	text := func() string {
		var out []string
		for range random.IntN(6) {
			out = append(out, string(rune('a'+random.IntN(3))))
		}
		return strings.Join(append(out, ""), "\n")
	}
	for range 2000 {
		a, b := text(), text()
		plus, minus := 0, 0
		for _, line := range strings.Split(lines(a, b), "\n") {
			switch {
			case strings.HasPrefix(line, "+ "):
				plus++
			case strings.HasPrefix(line, "- "):
				minus++
			}
		}
		if before, after := len(split(a)), len(split(b)); before-minus+plus != after {
			t.Fatalf("%q to %q: %d lines less and %d more are not %d", a, b, minus, plus, after)
		}
		if (a == b) != (lines(a, b) == "") {
			t.Fatalf("%q to %q: %q", a, b, lines(a, b))
		}
	}
}

// TestPlain: neither what the cluster keeps for itself nor values of Secrets.
func TestPlain(t *testing.T) {
	o := parse(t, `{apiVersion: v1, kind: Secret, metadata: {name: token, uid: u, resourceVersion: "7", generation: 3, creationTimestamp: "2026-01-01T00:00:00Z",
		managedFields: [{manager: x}], annotations: {mine: yes-please, slipway.dev/fence: "3.1"}}, data: {TOKEN: aHVudGVy}, stringData: {OTHER: hunter2}, status: {a: b}}`)
	got := plain(o)
	for _, hidden := range []string{"aHVudGVy", "hunter2", "resourceVersion", "uid", "managedFields", "generation", "creationTimestamp", "fence", "status"} {
		if strings.Contains(got, hidden) {
			t.Errorf("%s is shown:\n%s", hidden, got)
		}
	}
	for _, shown := range []string{"TOKEN: (not shown)", "OTHER: (not shown)", "mine: yes-please", "name: token"} {
		if !strings.Contains(got, shown) {
			t.Errorf("%q is not shown:\n%s", shown, got)
		}
	}
	if value := o.Object["data"].(map[string]any)["TOKEN"]; value != "aHVudGVy" {
		t.Errorf("the object itself was changed: %v", value)
	}
	if plain(nil) != "" {
		t.Error("nothing is something")
	}
}
