package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/retail/internal/data"
	"example.com/retail/internal/train"
)

// files makes a data file of some rows, and a model fitted to it.
func files(t *testing.T, rows int) (dataFile, modelDir string) {
	t.Helper()
	dir := t.TempDir()
	var text bytes.Buffer
	if err := data.Generate(&text, rows, 1); err != nil {
		t.Fatal(err)
	}
	dataFile = filepath.Join(dir, "transactions.csv")
	if err := os.WriteFile(dataFile, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	table, err := data.ReadFile(dataFile)
	if err != nil {
		t.Fatal(err)
	}
	m, err := train.Fit(table, train.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	return dataFile, dir
}

func TestRun_WritesMetrics(t *testing.T) {
	dataFile, dir := files(t, 2000)
	out := filepath.Join(dir, "new", "metrics.json")
	var stderr strings.Builder
	if err := run(options{dataFile, dir, out}, &stderr); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var metrics map[string]any
	if err := json.Unmarshal(text, &metrics); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"accuracy", "f1_macro", "rows", "baskets"} {
		if x, ok := metrics[name].(float64); !ok || x <= 0 {
			t.Errorf("%s is %v, expected a number above 0", name, metrics[name])
		}
	}
}

func TestRun_NothingMeasured(t *testing.T) {
	dataFile, dir := files(t, 300)
	text, err := os.ReadFile(dataFile)
	if err != nil {
		t.Fatal(err)
	}
	header, _, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(dataFile, []byte(header+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "metrics.json")
	var stderr strings.Builder
	if err := run(options{dataFile, dir, out}, &stderr); err != nil {
		t.Fatal(err)
	}
	if text, _ = os.ReadFile(out); !strings.Contains(string(text), `"accuracy": null`) || !strings.Contains(stderr.String(), "nothing measured") {
		t.Errorf("wrote %s and said %s", text, stderr.String())
	}
}

func TestRun_Usage(t *testing.T) {
	for _, args := range [][]string{{}, {"-data", "a", "-model", "b"}, {"-data", "a", "-model", "b", "-out", "c", "d"}, {"-colour"}} {
		if _, err := parse(args, io.Discard); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
	if _, err := parse([]string{"-h"}, io.Discard); err != flag.ErrHelp {
		t.Errorf("-h gives %v", err)
	}
}
