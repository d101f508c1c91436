// Command kubernetes measures deliveries into a real cluster: Slipway beside what
// others deliver with, in turns, while users ask 100 times a second. It prints one
// table:
//
//	SLIPWAY_BIN=$PWD/bin/slipway go run ./bench/kubernetes
//
// The cluster is that of the tests, or the one that KUBECONFIG names.
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

// maxDuration is how long everything may take.
const maxDuration = time.Hour

// bench is one run of all measurements.
type bench struct {
	cluster      *cluster.Cluster
	slipway      string // the binary
	root         string // of this repository
	work         string // temporary
	log          io.Writer
	outputDir    string        // folder for what Slipway's runs say; empty: it is forgotten
	rounds       int           // of good deploys, for each contender
	badRounds    int           // of each bad kind, for those that see it early
	timeout      time.Duration // of those that wait for the end of a time: kubectl's --timeout and its like
	image        serviceImage
	releaseCount int // release
	namespaces   []*namespace
	processes    []*exec.Cmd
	cleanups     []func(context.Context) error
	measure.Table
}

func main() {
	b := &bench{slipway: os.Getenv("SLIPWAY_BIN"), log: os.Stderr}
	parts := flag.String("parts", "good,bad,waiting,cost", "what is measured")
	flag.IntVar(&b.rounds, "rounds", 5, "good deploys of each contender")
	flag.IntVar(&b.badRounds, "bads", 3, "bad releases of each kind")
	flag.DurationVar(&b.timeout, "timeout", time.Minute, "patience of those that wait for the end of a time; the workshop's script has 5m")
	flag.StringVar(&b.outputDir, "keep", "", "folder for what each run of Slipway prints, and for the controllers' logs")
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
		return fmt.Errorf("SLIPWAY_BIN=%q is no absolute path of the binary: use `make bench-kubernetes`", b.slipway)
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

// measureParts does the parts; one that does not work does not keep the others from it.
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
			return fmt.Errorf("there is no part %q", part)
		}
		if err := do(ctx, f); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", part, err))
		}
	}
	return errors.Join(errs...)
}

// cleanup ends and removes what the bench has made.
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

// startProcess starts what runs until the bench ends.
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

// newRelease is a new one with that behaviour.
func (b *bench) newRelease(behaviour string) release {
	b.releaseCount++
	return release{fmt.Sprintf("%s-%d", strings.ReplaceAll(behaviour, " ", "-"), b.releaseCount), behaviour}
}
