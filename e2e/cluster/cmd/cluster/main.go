// Command cluster runs the Kubernetes of the tests for interactive use: `cluster up`
// starts it until Ctrl-C; `cluster build` only builds its programs, with the ingress
// controller.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/slipway-cd/slipway/e2e/cluster"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	dir := flags.String("dir", "", "folder for all state; its logs stay (default: a temporary one)")
	binary := flags.String("binary", "", "the Kubernetes binary (default: bin/kubernetes of the repository)")
	version := flags.String("version", "", "version of Kubernetes: 1.36, 1.34 or 1.31 (default: "+cluster.VersionEnv+", or 1.36)")
	flags.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: cluster up | build [--dir DIR] [--binary FILE] [--version VERSION]")
		flags.PrintDefaults()
	}
	verb := ""
	if len(os.Args) > 1 {
		verb = os.Args[1]
		if flags.Parse(os.Args[2:]) != nil {
			os.Exit(2)
		}
	}
	config := cluster.Config{Dir: *dir, Binary: *binary, Version: *version, Log: os.Stderr}
	var err error
	switch verb {
	case "up":
		err = up(ctx, config)
	case "build":
		err = build(ctx, config)
	default:
		flags.Usage()
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// up keeps a cluster running until the context is canceled.
func up(ctx context.Context, config cluster.Config) error {
	c, err := cluster.Start(ctx, config)
	if err != nil {
		return err
	}
	fmt.Printf("export KUBECONFIG=%s\n", c.Kubeconfig)
	if dir := c.KubectlDir(); dir != "" {
		fmt.Printf("export PATH=%s:$PATH\n", dir)
	}
	if words := c.Command("true").Args; len(words) > 2 { // nsenter --target PID ...
		fmt.Printf("export %s=%s\n", cluster.NetworkEnv, words[2])
	}
	fmt.Fprintf(os.Stderr, "NodePorts are reachable at %s. Pods pull from 127.0.0.1 in the cluster's network; start a registry there:\n  %s\n", c.NodeIP, c.Command("slipway", "registry"))
	fmt.Fprintln(os.Stderr, "Press Ctrl-C to stop it.")
	<-ctx.Done()
	fmt.Fprintln(os.Stderr, "stopping")
	return c.Stop()
}
