package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/retail/internal/train"
)

func TestParse_Usage(t *testing.T) {
	for _, args := range [][]string{{}, {"-data", "a"}, {"-data", "a", "-out", "b", "c"}, {"-data", "a", "-out", "b", "-l2", "0"}, {"-data", "a", "-out", "b", "-l2", "NaN"}} {
		if _, err := parse(args, io.Discard); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
	o, err := parse([]string{"-data", "a", "-out", "b"}, io.Discard)
	if err != nil || o != (options{"a", "b", train.DefaultL2}) {
		t.Errorf("got %+v, %v", o, err)
	}
}

func TestRun_WritesNoModelForBadData(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.csv")
	if err := os.WriteFile(bad, []byte("a,b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	err := run(options{bad, out, train.DefaultL2}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), bad) {
		t.Errorf("error is %v, expected one that names %s", err, bad)
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("%s is there: %v", out, err)
	}
}
