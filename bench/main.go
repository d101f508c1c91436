// Command bench measures Slipway's speed and memory, alone and compared with other
// tools and with a shell script that takes the same steps. It prints one table, in a
// few minutes:
//
//	SLIPWAY_BIN=$PWD/bin/slipway go run ./bench [-parts retail,push]
//
// It only uses a temporary folder and loopback addresses.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/bench/measure"
)

// maxDuration is the maximum duration, including builds of other tools.
const maxDuration = 20 * time.Minute

func main() {
	only := flag.String("parts", "", "measure only these `parts`, separated by commas: "+strings.Join(partNames((*bench)(nil).parts()), ","))
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, maxDuration)
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
	log     io.Writer
	servers []*exec.Cmd // that run until the end of the part
	measure.Table
}

// part is a group of measurements.
type part struct {
	name  string // for -parts
	title string
	run   func(context.Context) error
}

func (b *bench) parts() []part {
	return []part{
		{"program", "the program itself", b.measureProgram},
		{"engine", "the engine", b.measureEngine},
		{"state", "the shared state", b.measureState},
		{"retail", "Retail", b.measureRetail},
		{"predict", "/predict", b.measurePredict},
		{"front", "the front proxy", b.measureFront},
		{"dockerfile", "Dockerfiles", b.measureDockerfiles},
		{"python", "/predict in Python", b.measurePythonPredict},
		{"ko", "Go images compared with ko", b.measureGoImages},
		{"push", "pushes compared with crane and skopeo", b.measurePushes},
		{"scan", "SBOMs and scans", b.measureScans},
	}
}

func partNames(all []part) []string {
	var out []string
	for _, p := range all {
		out = append(out, p.name)
	}
	return out
}

// selectParts returns the parts with the given names; "" selects all.
func selectParts(all []part, only string) ([]part, error) {
	if only == "" {
		return all, nil
	}
	var out []part
	for key := range strings.SplitSeq(only, ",") {
		i := slices.Index(partNames(all), key)
		if i < 0 {
			return nil, fmt.Errorf("-parts: unknown part %q (want %s)", key, strings.Join(partNames(all), ", "))
		}
		out = append(out, all[i])
	}
	return out, nil
}

func run(ctx context.Context, only string, out, story io.Writer) error {
	b := &bench{slipway: os.Getenv("SLIPWAY_BIN"), log: story}
	parts, err := selectParts(b.parts(), only)
	if err != nil {
		return err
	}
	if !filepath.IsAbs(b.slipway) {
		return fmt.Errorf("SLIPWAY_BIN=%q is not an absolute path: use `make bench`", b.slipway)
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
		fmt.Fprintf(story, "bench: %s\n", p.title)
		err := p.run(ctx)
		b.stopServers()
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.title, err))
		}
	}
	b.Print(out, time.Since(start))
	return errors.Join(errs...)
}
