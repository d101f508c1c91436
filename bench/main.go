// Command bench measures what Slipway costs: on its own, and beside a shell
// script that does the same steps and other tools. It prints one table, in a few
// minutes:
//
//	SLIPWAY_BIN=$PWD/bin/slipway go run ./bench [-parts retail,push]
//
// Everything happens in a temporary folder and on loopback addresses.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/bench/measure"
)

// limit is how long everything may take; other tools are built in it, too.
const limit = 20 * time.Minute

func main() {
	only := flag.String("parts", "", "measure these `parts` alone, separated by commas: "+strings.Join(keys((*bench)(nil).parts()), ","))
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := run(ctx, *only, os.Stdout, os.Stderr); err != nil {
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

// part is a group of measurements.
type part struct {
	key  string // for -parts
	name string
	do   func(context.Context) error
}

func (b *bench) parts() []part {
	return []part{
		{"program", "the program itself", b.program},
		{"engine", "the engine", b.engine},
		{"retail", "Retail", b.retail},
		{"predict", "/predict", b.predict},
		{"dockerfile", "Dockerfiles", b.dockerfiles},
		{"python", "/predict in Python", b.predictPython},
		{"ko", "Go images beside ko", b.goImages},
		{"push", "pushes beside crane and skopeo", b.pushes},
		{"scan", "SBOMs and scans", b.scans},
	}
}

func keys(all []part) []string {
	var out []string
	for _, p := range all {
		out = append(out, p.key)
	}
	return out
}

// chosen are the parts that are asked for; "" is all.
func chosen(all []part, only string) ([]part, error) {
	if only == "" {
		return all, nil
	}
	var out []part
	for key := range strings.SplitSeq(only, ",") {
		i := slices.Index(keys(all), key)
		if i < 0 {
			return nil, fmt.Errorf("-parts: there is no part %q; there are %s", key, strings.Join(keys(all), ", "))
		}
		out = append(out, all[i])
	}
	return out, nil
}

func run(ctx context.Context, only string, out, story io.Writer) error {
	b := &bench{slipway: os.Getenv("SLIPWAY_BIN"), story: story}
	parts, err := chosen(b.parts(), only)
	if err != nil {
		return err
	}
	if !filepath.IsAbs(b.slipway) {
		return fmt.Errorf("SLIPWAY_BIN=%q is no absolute path of the binary: use `make bench`", b.slipway)
	}
	if b.root, err = os.Getwd(); err != nil {
		return err
	}
	if b.work, err = os.MkdirTemp("", "slipway-bench-"); err != nil {
		return err
	}
	defer func() {
		if err := measure.RemoveAll(b.work); err != nil {
			fmt.Fprintln(story, "bench:", err)
		}
	}()
	start := time.Now()
	var errs []error
	for _, p := range parts {
		fmt.Fprintf(story, "bench: %s\n", p.name)
		if err := p.do(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.name, err))
		}
	}
	b.Print(out, time.Since(start))
	return errors.Join(errs...)
}
