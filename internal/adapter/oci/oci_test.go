package oci_test

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/oci"
	"github.com/slipway-cd/slipway/internal/adapter/oci/embedded"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func openEmbedded(t *testing.T) *embedded.Registry {
	t.Helper()
	e, err := embedded.Open(t.TempDir())
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

func registryIn(e *embedded.Registry) *oci.Registry {
	return oci.New(oci.Config{Embedded: func() (*embedded.Registry, error) { return e, nil }})
}

func TestImages_EmbeddedRegistry(t *testing.T) {
	porttest.TestImageStore(t, func(t *testing.T) (port.ImageStore, string) { return registryIn(openEmbedded(t)), "mlops/retail-api" })
}

func TestArtifacts_EmbeddedRegistry(t *testing.T) {
	porttest.TestArtifactStore(t, func(t *testing.T) port.ArtifactStore { return registryIn(openEmbedded(t)) })
}
