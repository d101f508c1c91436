package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/bench/measure"
)

const (
	frontClients = 32
	frontPeriod  = 2 * time.Second
	versionTimes = 20
)

// measureFront returns the time per request through the front proxy, before a replica
// that responds at once.
func measureFront(ctx context.Context, of build) (time.Duration, error) {
	replica := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) }))
	defer replica.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	address := listener.Addr().String()
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	cmd := measure.Command(ctx, of.root, of.front, strconv.Itoa(port), strings.TrimPrefix(replica.URL, "http://"))
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	if err := waitFor(ctx, "http://"+address); err != nil {
		return 0, err
	}
	request := []byte("GET / HTTP/1.1\r\nHost: bench\r\nAccept: */*\r\n\r\n")
	took, err := measure.Raw(address, request, frontClients, frontPeriod)
	if err != nil {
		return 0, err
	}
	return frontPeriod / time.Duration(max(len(took), 1)), nil
}

func waitFor(ctx context.Context, url string) error {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		resp, err := http.Get(url)
		if err == nil {
			resp.Body.Close()
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return errors.New("the front proxy does not respond")
}

// measureStep returns the overhead of a step, as the version's own bench measures it.
func measureStep(ctx context.Context, of build) (time.Duration, error) {
	cmd := measure.Command(ctx, of.root, of.bench, "-parts", "engine")
	cmd.Env = append(cmd.Env, "SLIPWAY_BIN="+of.slipway)
	out, err := measure.ExecCmd(cmd, 0)
	if err != nil {
		return 0, err
	}
	found := regexp.MustCompile(`one after another.* ([0-9.]+) ms`).FindStringSubmatch(out)
	if found == nil {
		return 0, fmt.Errorf("no overhead of a step found in %q", out)
	}
	return time.ParseDuration(found[1] + "ms")
}

// measureVersion returns how long the program takes to start.
func measureVersion(ctx context.Context, of build) (time.Duration, error) {
	var all []time.Duration
	for range versionTimes {
		start := time.Now()
		if _, err := measure.Exec(ctx, 0, of.root, of.slipway, "version"); err != nil {
			return 0, err
		}
		all = append(all, time.Since(start))
	}
	return measure.Median(all), nil
}
