package house

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestProduct holds the product against the recorded figures.
func TestProduct(t *testing.T) {
	r, err := Measure("../../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range r.Broken(Recorded()) {
		t.Error(b)
	}
}

// plant writes a small product.
func plant(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestUpward_Planted: a file that uses what it is used by is found, by its name;
// files in an order are not.
func TestUpward_Planted(t *testing.T) {
	files := map[string]string{
		"internal/adapter/shelf/target.go":       "package shelf\n\ntype Target struct{ c client }\n\nfunc (t Target) Stage() { t.c.apply(); wait() }\n",
		"internal/adapter/shelf/wait.go":         "package shelf\n\nfunc wait() { retry() }\n",
		"internal/adapter/shelf/retry.go":        "package shelf\n\nfunc retry() {}\n",
		"internal/adapter/shelf/client.go":       "package shelf\n\nimport \"example.com/m/internal/adapter/shelf/labels\"\n\ntype client struct{}\n\nfunc (client) apply() string { return labels.Name() }\n",
		"internal/adapter/shelf/labels/label.go": "package labels\n\nfunc Name() string { return \"\" }\n",
	}
	up, err := Upward(plant(t, files), "internal/adapter")
	if err != nil {
		t.Fatal(err)
	}
	if got := up["internal/adapter/shelf"]; len(got) != 0 {
		t.Errorf("upward edges in a folder without one: %v", got)
	}
	files["internal/adapter/shelf/retry.go"] = "package shelf\n\nfunc retry() { _ = Target{} }\n"
	up, err = Upward(plant(t, files), "internal/adapter")
	if err != nil {
		t.Fatal(err)
	}
	want := []Edge{{"internal/adapter/shelf/retry.go", "internal/adapter/shelf/target.go", []string{"Target"}}}
	if diff := cmp.Diff(1, len(up["internal/adapter/shelf"])); diff != "" {
		t.Fatalf("upward edges (-want +got):\n%s", diff)
	}
	// Any one of the three edges of the circle may be the one that points upwards.
	got := up["internal/adapter/shelf"][0]
	circle := map[string]bool{want[0].From: true, want[0].To: true, "internal/adapter/shelf/wait.go": true}
	if !circle[got.From] || !circle[got.To] {
		t.Errorf("the upward edge is %v, outside of the circle", got)
	}
}

// TestBroken_Limits: each rule of the house breaks on its own.
func TestBroken_Limits(t *testing.T) {
	edges := make([]Edge, maxUpward+1)
	before := Numbers{Tests: 2, Assertions: 2, Upward: map[string]int{"a": 1}}
	for _, c := range []struct {
		name   string
		report Report
		want   string
	}{
		{"nothing", Report{Tests: 2, Assertions: 2, Upward: map[string][]Edge{"a": edges[:1], "b": edges[:maxUpward]}}, ""},
		{"fewer tests", Report{Tests: 1, Assertions: 2}, "1 tests"},
		{"fewer assertions", Report{Tests: 2, Assertions: 1}, "1 assertions"},
		{"more upward than recorded", Report{Tests: 2, Assertions: 2, Upward: map[string][]Edge{"a": edges[:2]}}, "a: 2 upward"},
		{"more upward than allowed", Report{Tests: 2, Assertions: 2, Upward: map[string][]Edge{"b": edges}}, "b: 11 upward"},
		{"wording", Report{Tests: 2, Assertions: 2, Refused: []Hit{{File: "x.go", Line: 3, Text: "is no tag"}}}, "x.go:3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := strings.Join(c.report.Broken(before), "\n")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("broken: %q, want %q in it", got, c.want)
			}
		})
	}
}

// TestMeasure_Wording: strings, struct tags and comments are read; tests, other
// folders and what a pattern excepts are not.
func TestMeasure_Wording(t *testing.T) {
	root := plant(t, map[string]string{
		"internal/a/a.go": "// Package a is fine.\npackage a\n\n// Has tells whether it is there.\nfunc Has() string { return \"%q is no tag\" }\n\n" +
			"type t struct {\n\tF string `yaml:\"f\" jsonschema_description:\"What nobody reads.\"`\n}\n\nvar _ = \"it is no longer read\" + \"plain\"\n",
		"internal/a/a_test.go": "package a\n\nvar _ = \"%q is no tag\"\n",
		"bench/b.go":           "package b\n\nvar _ = \"%q is no tag\"\n",
	})
	r, err := Measure(root)
	if err == nil {
		t.Fatal("a product without adapters was measured")
	}
	var got []string
	for _, h := range r.Refused {
		got = append(got, h.Text)
	}
	want := []string{"What nobody reads.", "%q is no tag", "// Has tells whether it is there."}
	sorted := func(s []string) map[string]bool {
		out := map[string]bool{}
		for _, x := range s {
			out[x] = true
		}
		return out
	}
	if diff := cmp.Diff(sorted(want), sorted(got)); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
}

// TestMeasure_Counts: tests, subtests and assertions are counted where they are.
func TestMeasure_Counts(t *testing.T) {
	root := plant(t, map[string]string{
		"internal/adapter/x/x.go": "package x\n",
		"internal/a/a_test.go": "package a\n\nimport \"testing\"\n\nfunc TestMain(m *testing.M) {}\n\nfunc TestA(t *testing.T) {\n" +
			"\tt.Run(\"one\", func(t *testing.T) { t.Error(1) })\n\tt.Fatalf(\"no\")\n}\n\nfunc helper(p struct{ t *testing.T }) { p.t.Errorf(\"x\") }\n",
	})
	r, err := Measure(root)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{2, 3}, []int{r.Tests, r.Assertions}); diff != "" {
		t.Errorf("tests and assertions (-want +got):\n%s", diff)
	}
}
