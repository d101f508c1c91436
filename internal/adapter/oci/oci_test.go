package oci_test

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/oci"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func embedded(t *testing.T) *oci.Embedded {
	t.Helper()
	e, err := oci.OpenEmbedded(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func in(e *oci.Embedded) *oci.Registry {
	return oci.New(oci.Config{Embedded: func() (*oci.Embedded, error) { return e, nil }})
}

func TestEmbeddedImages(t *testing.T) {
	porttest.TestImageStore(t, func(t *testing.T) (port.ImageStore, string) { return in(embedded(t)), "mlops/retail-api" })
}

func TestEmbeddedArtifacts(t *testing.T) {
	porttest.TestArtifactStore(t, func(t *testing.T) port.ArtifactStore { return in(embedded(t)) })
}
