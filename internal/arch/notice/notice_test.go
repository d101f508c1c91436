package notice_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/arch/notice"
)

const root = "../../.."

// TestNotice_IsComplete: NOTICE is what the modules of the programs ask for, and each has a
// licence under which a binary may be shipped.
func TestNotice_IsComplete(t *testing.T) {
	all, err := notice.List(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 100 {
		t.Errorf("%d components found", len(all))
	}
	for _, c := range all {
		if len(c.Licenses()) == 0 {
			t.Errorf("the licence of %s is not known: read it before it is linked, and describe it in license.go", c.Name)
		}
	}
	got, err := os.ReadFile(filepath.Join(root, notice.File))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, notice.Render(all)) {
		t.Errorf("%s differs from the modules of the programs: run `go run ./internal/arch/notice/cmd/notice`", notice.File)
	}
}

func TestClassify(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want notice.License
	}{
		"Apache":             {"                 Apache License\n           Version 2.0, January 2004", "Apache-2.0"},
		"MIT":                {"Permission is hereby granted, free of charge, to\nany person ... The above copyright notice and this permission notice shall be included", "MIT"},
		"MIT-0":              {"Permission is hereby granted, free of charge, to any person", "MIT-0"},
		"BSD, three clauses": {"Redistribution and use in source and binary forms, ... Neither the name of", "BSD-3-Clause"},
		"BSD, two clauses":   {"Redistribution and use in source and binary forms", "BSD-2-Clause"},
		"a choice":           {"provided, at your option, under either: * Apache License, version 2.0, OR * GNU General Public License", "Apache-2.0"},
		"GPL":                {"GNU GENERAL PUBLIC LICENSE\nVersion 2, June 1991 ... Apache License Version 2.0", notice.Unknown},
		"AGPL":               {"GNU AFFERO GENERAL PUBLIC LICENSE\nVersion 3", notice.Unknown},
		"no licence":         {"All rights reserved.", notice.Unknown},
		"empty":              {"", notice.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			if got := notice.Classify(c.text); got != c.want {
				t.Errorf("Classify = %q, want %q", got, c.want)
			}
		})
	}
}

func TestRender_TextsOnce(t *testing.T) {
	license := func(text string) []notice.Text {
		return []notice.Text{{License: "MIT", Path: "LICENSE", Content: text}}
	}
	out := string(notice.Render([]notice.Component{
		{Name: "a v1", Notices: license("the same\ntext")}, {Name: "b v2", Notices: license("the same text")}, {Name: "c v3", Notices: license("another")},
	}))
	_, got, _ := bytes.Cut([]byte(out), []byte("\n  a v1"))
	line, dash := "========================================================================\n", "------------------------------------------------------------------------\n"
	want := ": MIT\n  b v2: MIT\n  c v3: MIT\n\n" + line + "a v1: LICENSE\nb v2: LICENSE\n" + dash + "the same\ntext\n\n" + line + "c v3: LICENSE\n" + dash + "another\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
