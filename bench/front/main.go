// Command front is the local target's front proxy alone, as its supervisor runs it,
// for comparison with others:
//
//	front PORT REPLICA...
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	_ "net/http/pprof" // on a loopback address, if PPROF is set
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/slipway-cd/slipway/internal/adapter/local/latency"
	"github.com/slipway-cd/slipway/internal/adapter/local/proxy"
	"github.com/slipway-cd/slipway/internal/delivery"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "front:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	port, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if at := os.Getenv("PPROF"); at != "" {
		go func() { log.Print(http.ListenAndServe(at, nil)) }()
	}
	pool := proxy.NewPool(delivery.ReleaseID("r-000000000000"))
	for _, replica := range args[1:] {
		pool.Add(replica)
	}
	p := proxy.New(proxy.Config{Recorder: &latency.Recorder{}})
	p.Switch(pool)
	server, err := proxy.Listen(p, port, nil)
	if err != nil {
		return err
	}
	ended, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	<-ended.Done()
	server.Close(ended)
	return nil
}
