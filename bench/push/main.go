// Command push is Slipway's push step alone, so that the benchmark can compare it
// with programs that only push:
//
//	push LAYOUT REPOSITORY DIGEST TAG
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/slipway-cd/slipway/internal/adapter/oci"
	"github.com/slipway-cd/slipway/internal/delivery"
)

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: push LAYOUT REPOSITORY DIGEST TAG")
		os.Exit(2)
	}
	layout, tag := os.Args[1], os.Args[4]
	image := delivery.Image{Repository: os.Args[2], Digest: delivery.Digest(os.Args[3])}
	if _, err := oci.New(oci.Config{}).Push(context.Background(), layout, image, tag, nil); err != nil {
		fmt.Fprintln(os.Stderr, "push:", err)
		os.Exit(1)
	}
}
