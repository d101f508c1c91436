package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/slipway-cd/slipway/internal/catalog"
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

func none(string) (string, bool) { return "", false }

func TestParse_ReadsAllKeys(t *testing.T) {
	data, err := os.ReadFile("testdata/valid/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := config.Parse("slipway.yaml", data, func(name string) (string, bool) {
		return "/srv/x.csv", name == "DATA"
	}, catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/valid/full.json", append(got, '\n'))
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestParse_AcceptsValidFiles(t *testing.T) {
	schema := compiled(t)
	for _, file := range files(t, "valid") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := config.Parse("slipway.yaml", data, none, catalog.Default()); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if err := schema.Validate(asJSON(t, data)); err != nil {
			t.Errorf("%s: the schema refuses it: %v", file, err)
		}
		windows := bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))
		if _, err := config.Parse("slipway.yaml", append([]byte("\xef\xbb\xbf"), windows...), none, catalog.Default()); err != nil {
			t.Errorf("%s as Windows writes it: %v", file, err)
		}
	}
}

// TestParse_ExplainsMistakes holds every message against its golden file, and the schema
// against every file that a schema can refuse.
func TestParse_ExplainsMistakes(t *testing.T) {
	schema := compiled(t)
	for _, file := range files(t, "invalid") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = config.Parse("slipway.yaml", data, none, catalog.Default())
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("got %v, want an invalid file", err)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".txt", []byte(render(err)))
			if strings.Contains(err.Error()+fault.HintOf(err), "hunter2") {
				t.Error("the message has the secret in it")
			}
			if bytes.HasSuffix(data, []byte("# beyond the schema\n")) {
				return
			}
			if err := schema.Validate(asJSON(t, data)); err == nil {
				t.Error("the schema accepts it")
			}
		})
	}
}

// render is an error as people see it.
func render(err error) string {
	var many config.ErrorList
	if m, ok := err.(config.ErrorList); ok {
		many = m
	} else if e, ok := err.(*fault.Error); ok {
		many = config.ErrorList{e}
	}
	var b strings.Builder
	for _, e := range many {
		fmt.Fprintf(&b, "%v\n    %s\n", e, fault.HintOf(e))
	}
	return b.String()
}

func files(t *testing.T, kind string) []string {
	t.Helper()
	all, err := filepath.Glob("testdata/" + kind + "/*.yaml")
	if err != nil || len(all) == 0 {
		t.Fatalf("no %s files: %v", kind, err)
	}
	return all
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	raw, err := config.Schema(catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(config.SchemaID, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(config.SchemaID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func asJSON(t *testing.T, data []byte) any {
	t.Helper()
	raw, err := yaml.YAMLToJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	_, err := config.Load(filepath.Join(dir, config.FileName), none, catalog.Default())
	if !fault.Is(err, fault.NotFound) || !strings.Contains(fault.HintOf(err), "slipway init") {
		t.Errorf("a missing file: %v (%s)", err, fault.HintOf(err))
	}
	if _, err = config.Load(dir, none, catalog.Default()); !fault.Is(err, fault.Invalid) {
		t.Errorf("a folder: %v", err)
	}
	big := filepath.Join(dir, "big.yaml")
	if err := os.WriteFile(big, bytes.Repeat([]byte("# comment\n"), config.MaxBytes/10+1), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err = config.Load(big, none, catalog.Default()); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "1 MiB") {
		t.Errorf("a large file: %v", err)
	}
	p, err := config.Load("testdata/valid/least.yaml", none, catalog.Default())
	if err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff("echo", p.Service); diff != "" {
		t.Errorf("service (-want +got):\n%s", diff)
	}
}

func TestSecret_Resolve(t *testing.T) {
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"HOOK_URL": "https://hooks.example.com/hunter2", "EMPTY": ""}[name]
		return v, ok
	}
	if v, err := config.Secret("${HOOK_URL}").Resolve(env); err != nil || v != "https://hooks.example.com/hunter2" {
		t.Errorf("resolved to %q (%v)", v, err)
	}
	for _, s := range []config.Secret{"${UNSET}", "${EMPTY}"} {
		_, err := s.Resolve(env)
		if !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), strings.Trim(string(s), "${}")+" is not set") {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestMatchGlob(t *testing.T) {
	cases := []struct {
		glob, name string
		want       bool
	}{
		{"**.md", "README.md", true}, {"**.md", "docs/a/b.md", true}, {"**.md", "a.mdx", false},
		{"*.md", "docs/a.md", false}, {"docs/**", "docs/a/b", true}, {"docs/**", "docs2/a", false},
		{"go.mod", "go.mod", true}, {"go.mod", "sub/go.mod", false}, {"{go.mod,go.sum}", "go.sum", true},
		{"src/**.go", "src/a/b.go", true}, {"src/**.go", "src/b.go", true},
		{"release/*", "release/1", true}, {"release/*", "release/1/2", false}, {"main", "main", true},
		{"[a", "a", false}, {"a*", "-a", false}, {"**", "any/thing", true},
	}
	for _, c := range cases {
		t.Run(c.glob+" "+c.name, func(t *testing.T) {
			if got := config.MatchGlob(c.glob, c.name); got != c.want {
				t.Errorf("MatchGlob(%q, %q) = %v, want %v", c.glob, c.name, got, c.want)
			}
		})
	}
}

func TestProject_Environment(t *testing.T) {
	p := config.Project{Environments: map[delivery.Environment]config.Environment{"prod": {}, "dev": {}}}
	if _, err := p.Environment("prod"); err != nil {
		t.Error(err)
	}
	if _, err := p.Environment("prd"); !fault.Is(err, fault.NotFound) || fault.HintOf(err) != `did you mean "prod"?` {
		t.Errorf("unknown environment: %v (%s)", err, fault.HintOf(err))
	}
}
