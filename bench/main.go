// Command bench measures what Slipway costs: on its own, and beside a shell
// script that does the same steps. It prints one table, in a few minutes:
//
//	SLIPWAY_BIN=$PWD/bin/slipway go run ./bench
//
// Everything happens in a temporary folder and on loopback addresses.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/bench/measure"
)

// limit is how long everything may take.
const limit = 10 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := run(ctx, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run of all measurements.
type bench struct {
	slipway string // the binary
	root    string // of this repository
	work    string // temporary
	story   io.Writer
	measure.Table
}

func run(ctx context.Context, out, story io.Writer) error {
	b := &bench{slipway: os.Getenv("SLIPWAY_BIN"), story: story}
	if !filepath.IsAbs(b.slipway) {
		return fmt.Errorf("SLIPWAY_BIN=%q is no absolute path of the binary: use `make bench`", b.slipway)
	}
	var err error
	if b.root, err = os.Getwd(); err != nil {
		return err
	}
	if b.work, err = os.MkdirTemp("", "slipway-bench-"); err != nil {
		return err
	}
	defer func() {
		if err := measure.Remove(b.work); err != nil {
			fmt.Fprintln(story, "bench:", err)
		}
	}()
	start := time.Now()
	var errs []error
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"the program itself", b.program},
		{"the engine", b.engine},
		{"Retail", b.retail},
		{"/predict", b.predict},
		{"/predict in Python", b.predictPython},
		{"Dockerfiles", b.dockerfiles},
	} {
		fmt.Fprintf(story, "bench: %s\n", part.name)
		if err := part.do(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", part.name, err))
		}
	}
	b.Print(out, time.Since(start))
	return errors.Join(errs...)
}
