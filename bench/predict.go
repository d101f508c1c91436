package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/slipway-cd/slipway/bench/measure"
	"github.com/slipway-cd/slipway/internal/quantile"
)

// measurePredict measures the example's server on one core, without Slipway in
// between.
func (b *bench) measurePredict(ctx context.Context) error {
	server, model, err := b.buildRetail(ctx)
	if err != nil {
		return err
	}
	cmd := measure.Command(ctx, b.work, server)
	cmd.Env = append(cmd.Env, "GOMAXPROCS=1", "MODEL_PATH="+model)
	return b.measureServer(ctx, "/predict, server on one core, 8 clients", cmd)
}

// buildRetail builds the example's server and trains its model.
func (b *bench) buildRetail(ctx context.Context) (server, model string, err error) {
	dir := filepath.Join(b.root, "examples", "retail")
	server, model = filepath.Join(b.work, "api"), filepath.Join(b.work, "model")
	data := filepath.Join(b.work, "t.csv")
	for _, args := range [][]string{
		{"build", "-o", server, "./cmd/api"},
		{"run", "./cmd/generate", "-out", data},
		{"run", "./cmd/train", "-data", data, "-out", model},
	} {
		if _, err := measure.Exec(ctx, 0, dir, "go", args...); err != nil {
			return "", "", err
		}
	}
	return server, model, nil
}

// measureServer starts a Retail server and measures its responses.
func (b *bench) measureServer(ctx context.Context, what string, cmd *exec.Cmd) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	cmd.Env = append(cmd.Env, "MODEL_VERSION=1", "DRAIN_DELAY=0s", fmt.Sprint("PORT=", port))
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	if err := waitReady(ctx, url+"/ready"); err != nil {
		return err
	}
	ask := predictRequest(url)
	measure.ConstantConcurrency(8, time.Second, ask) // warm-up
	const period = 5 * time.Second
	t := measure.ConstantConcurrency(8, period, ask)
	took := t.Latencies()
	if failed, first := t.Failures(); failed > 0 {
		return fmt.Errorf("%d of %d predictions failed: %w", failed, len(took), first)
	}
	b.Note(what, fmt.Sprintf("%.0f/s, p95 %.2f ms", float64(len(took))/period.Seconds(), measure.Milliseconds(quantile.Of(took, 0.95))))
	return nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func waitReady(ctx context.Context, url string) error {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return nil
		}
	}
	return fmt.Errorf("GET %s: no 200 within 10 s", url)
}
