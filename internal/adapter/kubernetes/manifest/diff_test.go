package manifest

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
)

func TestDiff(t *testing.T) {
	for _, c := range []struct{ name, before, after, want string }{
		{"same", "a\nb\n", "a\nb\n", ""},
		{"empty", "", "", ""},
		{"added", "", "a\nb\n", "+ a\n+ b"},
		{"removed", "a\nb\n", "", "- a\n- b"},
		{"changed", "a\nb\nc\n", "a\nB\nc\n", "  a\n- b\n+ B\n  c"},
		{"context", "1\n2\n3\n4\nx\n5\n6\n7\n", "1\n2\n3\n4\ny\n5\n6\n7\n", "  3\n  4\n- x\n+ y\n  5\n  6"},
		{"two places", "x\n1\n2\n3\n4\n5\nx\n", "y\n1\n2\n3\n4\n5\ny\n", "- x\n+ y\n  1\n  2\n  4\n  5\n- x\n+ y"},
		{"inserted", "a\nc\n", "a\nb\nc\n", "  a\n+ b\n  c"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Diff(c.before, c.after)); diff != "" {
				t.Errorf("Diff (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDiff_IsComplete: the text before and the diff determine the text after.
func TestDiff_IsComplete(t *testing.T) {
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
		for _, line := range strings.Split(Diff(a, b), "\n") {
			switch {
			case strings.HasPrefix(line, "+ "):
				plus++
			case strings.HasPrefix(line, "- "):
				minus++
			}
		}
		if before, after := len(splitLines(a)), len(splitLines(b)); before-minus+plus != after {
			t.Fatalf("%q to %q: %d lines removed and %d added do not make %d", a, b, minus, plus, after)
		}
		if (a == b) != (Diff(a, b) == "") {
			t.Fatalf("%q to %q: %q", a, b, Diff(a, b))
		}
	}
}

// TestDiff_LargeTexts: two texts of 10,000 lines once took 800 MB.
func TestDiff_LargeTexts(t *testing.T) {
	var before, after strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&before, "key-%d: value\n", i)
		value := "value"
		if i%100 == 0 {
			value = "changed"
		}
		fmt.Fprintf(&after, "key-%d: %s\n", i, value)
	}
	var start, end runtime.MemStats
	runtime.ReadMemStats(&start)
	diff := Diff(before.String(), after.String())
	runtime.ReadMemStats(&end)
	if added := strings.Count(diff, "\n+ "); added != 100 {
		t.Errorf("%d lines added, want 100", added)
	}
	if megabytes := (end.TotalAlloc - start.TotalAlloc) >> 20; megabytes > 100 {
		t.Errorf("allocated %d MB, want at most 100", megabytes)
	}
}

// TestYAML_Hides what the cluster adds by itself, and values of Secrets.
func TestYAML_Hides(t *testing.T) {
	o := fakeapi.Object(t, `{apiVersion: v1, kind: Secret, metadata: {name: token, uid: u, resourceVersion: "7", generation: 3, creationTimestamp: "2026-01-01T00:00:00Z",
		managedFields: [{manager: x}], annotations: {mine: yes-please, slipway.dev/fence: "3.1"}}, data: {TOKEN: aHVudGVy}, stringData: {OTHER: hunter2}, status: {a: b}}`)
	got := YAML(o)
	for _, hidden := range []string{"aHVudGVy", "hunter2", "resourceVersion", "uid", "managedFields", "generation", "creationTimestamp", "fence", "status"} {
		if strings.Contains(got, hidden) {
			t.Errorf("%s is in the text:\n%s", hidden, got)
		}
	}
	for _, shown := range []string{"TOKEN: (redacted)", "OTHER: (redacted)", "mine: yes-please", "name: token"} {
		if !strings.Contains(got, shown) {
			t.Errorf("%q is not in the text:\n%s", shown, got)
		}
	}
	if value := o.Object["data"].(map[string]any)["TOKEN"]; value != "aHVudGVy" {
		t.Errorf("the argument was changed: %v", value)
	}
	if YAML(nil) != "" {
		t.Error("YAML(nil) is not empty")
	}
}
