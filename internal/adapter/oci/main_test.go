package oci_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/oci/embedded"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// TestMain lets the test's binary be a second process that pushes.
func TestMain(m *testing.M) {
	if len(os.Args) == 5 && os.Args[1] == "push" {
		if err := pushAlone(os.Args[2], os.Args[3], delivery.Digest(os.Args[4])); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func pushAlone(registry, layout string, digest delivery.Digest) error {
	e, err := embedded.Open(registry)
	if err != nil {
		return err
	}
	_, err = registryIn(e).Push(context.Background(), layout, delivery.Image{Repository: "a/b", Digest: digest}, "v1", nil)
	return err
}
