// Command push is the step push without the rest of Slipway, so that the bench can
// hold it against programs that only push:
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
