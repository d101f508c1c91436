//go:build linux

// Command base makes the stand-in for python:3.11-slim and, with -to, pushes it to
// a registry that a mirror setting then lets stand for docker.io:
//
//	go run ./e2e/base/cmd/base -to 127.0.0.1:5000
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/slipway-cd/slipway/e2e/base"
)

func main() {
	dir := flag.String("dir", "bin/base", "`folder` where it is kept")
	to := flag.String("to", "", "`address` of a registry")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *dir, *to); err != nil {
		fmt.Fprintln(os.Stderr, "base:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir, to string) error {
	img, err := base.Builder{Dir: dir, Log: os.Stderr}.Build(ctx)
	if err != nil {
		return err
	}
	digest, err := img.Digest()
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "made", digest)
	if to == "" {
		return nil
	}
	ref, err := base.Push(ctx, img, to, os.Getenv("SLIPWAY_REGISTRY_TOKEN"))
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, ref)
	return nil
}
