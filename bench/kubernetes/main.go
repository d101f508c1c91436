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

// limit is how long everything may take.
const limit = time.Hour

// bench is one run of all measurements.
type bench struct {
	cluster  *cluster.Cluster
	slipway  string // the binary
	root     string // of this repository
	work     string // temporary
	story    io.Writer
	keep     string        // folder for what Slipway's runs say; empty: it is forgotten
	rounds   int           // of good deploys, for each contender
	bads     int           // of each bad kind, for those that see it early
	patience time.Duration // of those that wait for the end of a time: kubectl's --timeout and its like
	image    image
	next     int // release
	places   []*place
	started  []*exec.Cmd
	undo     []func(context.Context) error
	measure.Table
}

func main() {
	b := &bench{slipway: os.Getenv("SLIPWAY_BIN"), story: os.Stderr}
	parts := flag.String("parts", "good,bad,waiting,cost", "what is measured")
	flag.IntVar(&b.rounds, "rounds", 5, "good deploys of each contender")
	flag.IntVar(&b.bads, "bads", 3, "bad releases of each kind")
	flag.DurationVar(&b.patience, "timeout", time.Minute, "patience of those that wait for the end of a time; the workshop's script has 5m")
	flag.StringVar(&b.keep, "keep", "", "folder for what each run of Slipway prints, and for the controllers' logs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
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
	if b.cluster, err = begin(ctx, b.story); err != nil {
		return errors.Join(err, measure.RemoveAll(b.work))
	}
	begun := time.Now()
	err = b.measure(ctx, parts)
	b.Print(os.Stdout, time.Since(begun))
	return errors.Join(err, b.clean())
}

func begin(ctx context.Context, story io.Writer) (*cluster.Cluster, error) {
	if path := os.Getenv("KUBECONFIG"); path != "" {
		return cluster.Existing(path), nil
	}
	return cluster.Start(ctx, cluster.Config{Log: story})
}

// measure does the parts; one that does not work does not keep the others from it.
func (b *bench) measure(ctx context.Context, parts []string) error {
	f, err := b.field(ctx)
	if err != nil {
		return err
	}
	does := map[string]func(context.Context, *field) error{
		"good": b.good, "bad": b.bad, "waiting": b.waiting, "cost": b.cost,
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

// clean ends and removes what the bench has made.
func (b *bench) clean() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var errs []error
	for _, cmd := range b.started {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	for _, undo := range b.undo {
		errs = append(errs, undo(ctx))
	}
	for _, p := range b.places {
		_, err := b.cluster.Kubectl(ctx, "delete", "namespace", p.ns, "--wait=false")
		errs = append(errs, err)
	}
	return errors.Join(append(errs, b.cluster.Stop(), measure.RemoveAll(b.work))...)
}

// start starts what runs until the bench ends.
func (b *bench) start(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", filepath.Base(cmd.Path), err)
	}
	b.started = append(b.started, cmd)
	return nil
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.story, "bench: "+format+"\n", args...)
}

// release is a new one with that behaviour.
func (b *bench) release(behaviour string) release {
	b.next++
	return release{fmt.Sprintf("%s-%d", strings.ReplaceAll(behaviour, " ", "-"), b.next), behaviour}
}
