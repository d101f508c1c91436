package config_test

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/catalog"
	"github.com/slipway-cd/slipway/internal/config"
)

// TestLoad_Example proves that the file people copy from is one.
func TestLoad_Example(t *testing.T) {
	p, err := config.Load("../../examples/retail/slipway.yaml", none, catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	if p.Model == nil || p.Model.Train == nil || len(p.Environments) == 0 {
		t.Errorf("the example lacks a model or environments: %+v", p)
	}
}
