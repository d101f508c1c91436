package design_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/account/design"
	"github.com/slipway-cd/slipway/internal/catalog"
	"github.com/slipway-cd/slipway/internal/config"
)

var update = flag.Bool("update", false, "write what is expected")

// retail is the example, with a repository of GitHub that it does not have.
func retail(t *testing.T, more ...string) *config.Project {
	t.Helper()
	text, err := os.ReadFile("../../../examples/retail-aws/slipway.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, text, more...)
}

// parse reads a file after its replacements: old, new, old, new.
func parse(t *testing.T, text []byte, replace ...string) *config.Project {
	t.Helper()
	for i := 0; i+1 < len(replace); i += 2 {
		if !bytes.Contains(text, []byte(replace[i])) {
			t.Fatalf("the file has no %q", replace[i])
		}
		text = bytes.ReplaceAll(text, []byte(replace[i]), []byte(replace[i+1]))
	}
	p, err := config.Parse("slipway.yaml", text, nil, catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	return &p
}

const (
	where  = `aws: {account: "111122223333", region: ap-southeast-1`
	github = where + `, github: {repository: acme/retail, id: "4242", owner_id: "77"}`
)

func create(t *testing.T, p *config.Project) account.Set {
	t.Helper()
	set, err := design.New(p, design.Options{Kinds: catalog.Default()})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestNew_Golden: everything that the example needs, with its policies.
func TestNew_Golden(t *testing.T) {
	t.Parallel()
	set := create(t, retail(t, where, github))
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	for _, r := range set.Resources {
		if err := e.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join("testdata", "retail.json")
	if *update {
		if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestNew_NoFindings: what is generated has none of the faults that are looked for in
// what others made.
func TestNew_NoFindings(t *testing.T) {
	t.Parallel()
	set := create(t, retail(t, where, github))
	var existing []account.ExistingRole
	for _, r := range set.Resources {
		spec, ok := r.Spec.(account.Role)
		if !ok {
			continue
		}
		trust, err := json.Marshal(spec.Trust)
		if err != nil {
			t.Fatal(err)
		}
		rights, err := json.Marshal(spec.Rights)
		if err != nil {
			t.Fatal(err)
		}
		existing = append(existing, account.ExistingRole{Name: r.Name, Trust: string(trust), Policies: map[string]string{"slipway": string(rights)}})
	}
	for _, f := range account.Findings(existing, set) {
		t.Error(f)
	}
	if len(existing) != 5 {
		t.Errorf("%d roles", len(existing))
	}
}
