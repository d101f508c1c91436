package main

import (
	"bytes"
	"strings"
	"testing"
)

const table = "# AWS\n\n| part | what it does | test |\n|---|---|---|\n| ECR | pushes | `TestA`, `TestB` |\n| state | kept | `make drivers` |\n\n| other | table |\n"

func TestReport(t *testing.T) {
	rows := parse(table)
	if len(rows) != 1 || strings.Join(tests(rows), " ") != "TestA TestB" {
		t.Fatalf("%+v", rows)
	}
	stream := `{"Action":"pass","Package":"p","Test":"TestA"}` + "\n" + `{"Action":"output","Package":"p","Test":"TestB","Output":"why\n"}` + "\n" + `{"Action":"fail","Package":"p","Test":"TestB"}` + "\n"
	for _, tt := range []struct {
		stream string
		ok     bool
		said   int
	}{
		{stream, false, 1},
		{strings.ReplaceAll(stream, `"fail"`, `"pass"`), true, 0},
		{strings.ReplaceAll(stream, `"fail"`, `"skip"`), false, 0},
		{`{"Action":"pass","Package":"p","Test":"TestA"}` + "\n", false, 0},
		{"compile error\n", false, 1},
	} {
		outcomes, said, _ := read(strings.NewReader(tt.stream))
		var out bytes.Buffer
		if ok := report(&out, rows, outcomes); ok != tt.ok || len(said) != tt.said {
			t.Errorf("%q: %t, %q\n%s", tt.stream, ok, said, &out)
		}
	}
	if report(&bytes.Buffer{}, parse(strings.ReplaceAll(table, "`TestA`, `TestB`", "none")), nil) {
		t.Error("a row without a test passes")
	}
}

func TestNotes(t *testing.T) {
	stream := ""
	for _, text := range []string{"awstable: calls ecr.PutImage=2 s3.GetObject=1", "awstable: calls ecr.PutImage=3", "awstable: covered moto s3.GetObject iam.GetRole", "awstable: 20 pushes: 0", "nothing"} {
		stream += `{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:7: ` + text + `\n"}` + "\n"
	}
	divided := strings.Replace(stream, " s3.GetObject=1", `"}`+"\n"+`{"Action":"output","Package":"p","Test":"TestA","Output":" s3.GetObject=1`, 1)
	if divided == stream {
		t.Fatal("no line is divided")
	}
	_, _, n := read(strings.NewReader(divided))
	var out bytes.Buffer
	n.print(&out)
	for _, want := range []string{"20 pushes: 0\n", "2 operations used, 6 requests validated by AWS's models, 1 operations covered by moto:\n", "ecr.PutImage", "     5", "     1  moto\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, &out)
		}
	}
}
