// Command api serves predictions over HTTP: see package server.
//
// Environment: MODEL_PATH (folder with model.json and metrics.json, required),
// PORT (8000), MODEL_VERSION and SLIPWAY_RELEASE (shown by /health), DRAIN_DELAY
// (0s: how long to keep answering after SIGTERM turned /ready to 503).
//
// It needs no file but the model, writes none, and runs from an empty image as any user.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"example.com/retail/internal/server"
)

// predictBudget is the time that a request's predictions may take; one that takes
// longer answers 500. A prediction takes about a microsecond.
const predictBudget = time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop) // a second signal kills
	if err := run(ctx, os.Getenv, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "api:", err)
		os.Exit(1)
	}
}

type options struct {
	server.Options
	port  string
	drain server.Drain
}

func parse(getenv func(string) string) (options, error) {
	o := options{
		Options: server.Options{
			ModelPath:     getenv("MODEL_PATH"),
			ModelVersion:  getenv("MODEL_VERSION"),
			Release:       getenv("SLIPWAY_RELEASE"),
			PredictBudget: predictBudget,
		},
		port: "8000",
	}
	if o.ModelPath == "" {
		return o, errors.New("MODEL_PATH is not set: it must name the folder that holds model.json")
	}
	if port := getenv("PORT"); port != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return o, fmt.Errorf("PORT is %q: it must be a number from 0 to 65535", port)
		}
		o.port = port
	}
	if delay := getenv("DRAIN_DELAY"); delay != "" {
		d, err := time.ParseDuration(delay)
		if err != nil || d < 0 {
			return o, fmt.Errorf("DRAIN_DELAY is %q: it must be a duration such as 500ms or 5s", delay)
		}
		o.drain.Delay = d
	}
	return o, nil
}

func run(ctx context.Context, getenv func(string) string, stderr io.Writer) error {
	o, err := parse(getenv)
	if err != nil {
		return err
	}
	o.Log = slog.New(slog.NewJSONHandler(stderr, nil))
	api, err := server.New(o.Options)
	if err != nil {
		return fmt.Errorf("refusing to start: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", ":"+o.port)
	if err != nil {
		return fmt.Errorf("listen on port %s: %w", o.port, err)
	}
	return api.Serve(ctx, listener, o.drain)
}
