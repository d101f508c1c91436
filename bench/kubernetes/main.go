// Command kubernetes measures deployments to a real cluster: Slipway compared with
// other tools, in rotating order, under 100 requests per second. It prints one table:
//
//	SLIPWAY_BIN=$PWD/bin/slipway go run ./bench/kubernetes
//
// The cluster is that of the tests, or the one in KUBECONFIG.
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
	"strings"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/bench/measure"
	"github.com/slipway-cd/slipway/e2e/cluster"
)

// maxDuration is the maximum duration of everything.
const maxDuration = time.Hour

// bench is one run of all measurements.
type bench struct {
	cluster      *cluster.Cluster
	slipway      string // the binary
	root         string // of this repository
	work         string // temporary
	log          io.Writer
	outputDir    string        // folder for the output of Slipway's runs; empty: discarded
	rounds       int           // of good deploys, for each tool
	badRounds    int           // of each kind of bad release, for tools that detect it early
	timeout      time.Duration // of tools that detect it by a timeout: kubectl's --timeout etc.
	noOthers     bool          // measure Slipway and kubectl only
	image        serviceImage
	releaseCount int
	namespaces   []*namespace
	processes    []*exec.Cmd
	cleanups     []func(context.Context) error
	measure.Table
}

func main() {
	b := &bench{slipway: os.Getenv("SLIPWAY_BIN"), log: os.Stderr}
	parts := flag.String("parts", "good,bad,waiting,cost", "parts to measure")
	flag.IntVar(&b.rounds, "rounds", 5, "good deploys with each tool")
	flag.IntVar(&b.badRounds, "bads", 3, "bad releases of each kind")
	flag.DurationVar(&b.timeout, "timeout", time.Minute, "timeout of the tools that detect a bad release only by waiting; the workshop's script has 5m")
	flag.BoolVar(&b.noOthers, "no-others", false, "measure Slipway and kubectl only: the other tools take minutes to build")
	flag.StringVar(&b.outputDir, "keep", "", "folder for the output of each Slipway run and for the controllers' logs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, maxDuration)
	defer cancel()
	if err := b.run(ctx, strings.Split(*parts, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (b *bench) run(ctx context.Context, parts []string) (err error) {
	if !filepath.IsAbs(b.slipway) {
		return fmt.Errorf("SLIPWAY_BIN=%q is not an absolute path: use `make bench-kubernetes`", b.slipway)
	}
	if b.root, err = os.Getwd(); err != nil {
		return err
	}
	if b.work, err = os.MkdirTemp("", "slipway-bench-"); err != nil {
		return err
	}
	if b.cluster, err = startCluster(ctx, b.log); err != nil {
		return errors.Join(err, measure.RemoveAll(b.work))
	}
	begun := time.Now()
	err = b.measureParts(ctx, parts)
	b.Print(os.Stdout, time.Since(begun))
	return errors.Join(err, b.cleanup())
}

func startCluster(ctx context.Context, story io.Writer) (*cluster.Cluster, error) {
	if path := os.Getenv("KUBECONFIG"); path != "" {
		return cluster.Existing(path), nil
	}
	return cluster.Start(ctx, cluster.Config{Log: story})
}

// measureParts measures the parts. A failing part does not prevent the others.
func (b *bench) measureParts(ctx context.Context, parts []string) error {
	f, err := b.setUpContenders(ctx)
	if err != nil {
		return err
	}
	does := map[string]func(context.Context, *contenders) error{
		"good": b.measureGood, "bad": b.measureBad, "waiting": b.measureTimeouts, "cost": b.measureResources,
	}
	var errs []error
	for _, part := range parts {
		do, ok := does[part]
		if !ok {
			return fmt.Errorf("unknown part %q", part)
		}
		if err := do(ctx, f); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", part, err))
		}
	}
	return errors.Join(errs...)
}

// cleanup stops and removes what the benchmark created.
func (b *bench) cleanup() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var errs []error
	for _, cmd := range b.processes {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	for _, undo := range b.cleanups {
		errs = append(errs, undo(ctx))
	}
	for _, p := range b.namespaces {
		_, err := b.cluster.Kubectl(ctx, "delete", "namespace", p.name, "--wait=false")
		errs = append(errs, err)
	}
	return errors.Join(append(errs, b.cluster.Stop(), measure.RemoveAll(b.work))...)
}

// startProcess starts a process that runs until the benchmark ends.
func (b *bench) startProcess(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", filepath.Base(cmd.Path), err)
	}
	b.processes = append(b.processes, cmd)
	return nil
}

func (b *bench) logf(format string, args ...any) {
	fmt.Fprintf(b.log, "bench: "+format+"\n", args...)
}

// newRelease returns a new release with the given behaviour.
func (b *bench) newRelease(behaviour string) release {
	b.releaseCount++
	return release{fmt.Sprintf("%s-%d", strings.ReplaceAll(behaviour, " ", "-"), b.releaseCount), behaviour}
}
