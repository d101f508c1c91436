package config_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/slipway-cd/slipway/internal/catalog"
	"github.com/slipway-cd/slipway/internal/config"
)

var update = flag.Bool("update", false, "write the golden files")

const schemaFile = "../../docs/slipway.schema.json"

// TestSchema_IsCurrent compares the schema that editors get with the types.
func TestSchema_IsCurrent(t *testing.T) {
	want, err := config.Schema(catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(schemaFile)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what the types say (%v): go test ./internal/config -run Schema -update", schemaFile, err)
	}
}
