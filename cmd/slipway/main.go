// Command slipway delivers ML services: code and model as one release.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/catalog"
	"github.com/slipway-cd/slipway/internal/cli"
	"github.com/slipway-cd/slipway/internal/dumpable"
)

// version is stamped by the linker.
var version = "dev"

func main() {
	// The first line, for this process holds secrets that its children, which run as the same user, are not given.
	if err := dumpable.Clear(); err != nil {
		fmt.Fprintln(os.Stderr, "slipway: protect this process from others of the same user:", err)
		os.Exit(cli.ExitUsage)
	}
	if code, ok := catalog.RunInternal(os.Args[1:], os.Stderr); ok {
		os.Exit(code)
	}
	catalog.DiscardLogs()
	dir, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(os.Stderr, "slipway: find the working directory:", err)
		os.Exit(cli.ExitUsage)
	}
	ctx, stop := interruptible()
	defer stop()
	cmd := &cli.Command{
		App: &app.App{
			Dir: dir, Environ: os.Environ(), Factory: catalog.NewFactory(version), Kinds: catalog.Default(), ScanDatabase: catalog.ScanDatabase,
			Supervisors: catalog.Supervisors, Git: catalog.Git(),
			Accounts: catalog.Accounts, OpenState: catalog.OpenState, VerifyLog: catalog.VerifyLog, Clock: time.Now,
		},
		Args: os.Args[1:], Stdout: os.Stdout, Stderr: os.Stderr, Stdin: answers(), Version: version, TerminalWidth: columns,
	}
	os.Exit(cmd.Main(ctx))
}

// interruptible ends on the first Ctrl-C, so that what was begun is taken back;
// the second one ends the program at once, and the next start takes it back.
func interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(cli.ExitInterrupted)
	}()
	return ctx, cancel
}

// columns is the width of the terminal on stderr, 0 when there is none.
func columns() int {
	width, _, err := term.GetSize(int(os.Stderr.Fd()))
	if err != nil || os.Getenv("TERM") == "dumb" {
		return 0
	}
	return width
}

// answers is what a person types, nil without a terminal.
func answers() io.Reader {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return nil
	}
	return os.Stdin
}
