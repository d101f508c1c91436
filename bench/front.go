package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/bench/measure"
	"github.com/slipway-cd/slipway/internal/quantile"
)

const (
	frontClients = 32
	frontRounds  = 7
	frontPeriod  = 3 * time.Second
)

// front is a way from users to the replicas.
type front struct {
	name    string
	address string
	rates   []float64       // requests per second, by round
	p99     []time.Duration // by round
}

// measureFront measures /predict through the local target's front proxy, beside
// HAProxy and nginx, with two replicas of Retail. All are measured in each round, so
// that other load of the machine is the same for all.
func (b *bench) measureFront(ctx context.Context) error {
	replicas, err := b.startReplicas(ctx, 2)
	if err != nil {
		return err
	}
	fronts, err := b.startFronts(ctx, replicas)
	if err != nil {
		return err
	}
	request := fmt.Appendf(nil, "POST /predict HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(predictBody), predictBody)
	for round := range frontRounds + 1 { // the first round is a warm-up
		for i := range fronts {
			f := fronts[(round+i)%len(fronts)]
			took, err := measure.Raw(f.address, request, frontClients, frontPeriod)
			if err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
			if round > 0 {
				f.rates = append(f.rates, float64(len(took))/frontPeriod.Seconds())
				f.p99 = append(f.p99, quantile.Of(took, 0.99))
			}
		}
	}
	b.addFrontRows(fronts)
	return nil
}

// startReplicas starts Retail servers, which end with the context.
func (b *bench) startReplicas(ctx context.Context, n int) ([]string, error) {
	server, model, err := b.buildRetail(ctx)
	if err != nil {
		return nil, err
	}
	var replicas []string
	for range n {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		cmd := measure.Command(ctx, b.work, server)
		cmd.Env = append(cmd.Env, "MODEL_PATH="+model, "MODEL_VERSION=1", "DRAIN_DELAY=0s", fmt.Sprint("PORT=", port))
		if err := b.start(cmd, port, "/ready"); err != nil {
			return nil, err
		}
		replicas = append(replicas, fmt.Sprintf("127.0.0.1:%d", port))
	}
	return replicas, nil
}

// start starts a server and waits until it responds. It ends with the bench.
func (b *bench) start(cmd *exec.Cmd, port int, path string) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	b.servers = append(b.servers, cmd)
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	return waitReady(ctx, fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
}

// stopServers ends what start has started.
func (b *bench) stopServers() {
	for _, cmd := range b.servers {
		// The master of nginx ends its workers, unless it is killed.
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		kill := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		kill.Stop()
	}
	b.servers = nil
}

// startFronts starts ours first, then those of others that are installed.
func (b *bench) startFronts(ctx context.Context, replicas []string) ([]*front, error) {
	fronts := []*front{{name: "direct, to one replica", address: replicas[0]}}
	ours := filepath.Join(b.work, "front")
	build := measure.Command(ctx, b.root, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", ours, "./bench/front")
	build.Env = append(build.Env, "CGO_ENABLED=0")
	if _, err := measure.ExecCmd(build, 0); err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name    string
		command func(port int) ([]string, error)
	}{
		{"Slipway", func(port int) ([]string, error) {
			return append([]string{ours, fmt.Sprint(port)}, replicas...), nil
		}},
		{"haproxy", func(port int) ([]string, error) { return b.haproxyCommand(port, replicas) }},
		{"nginx", func(port int) ([]string, error) { return b.nginxCommand(port, replicas) }},
	} {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		args, err := f.command(port)
		if err != nil {
			return nil, err
		}
		program, err := exec.LookPath(args[0])
		if err != nil {
			b.Note("front proxy: "+f.name, "not installed (apt install "+f.name+")")
			continue
		}
		cmd := measure.Command(ctx, b.work, program, args[1:]...)
		if err := b.start(cmd, port, "/ready"); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		fronts = append(fronts, &front{name: f.name, address: fmt.Sprintf("127.0.0.1:%d", port)})
	}
	return fronts, nil
}

func (b *bench) haproxyCommand(port int, replicas []string) ([]string, error) {
	text := fmt.Sprintf(`defaults
  mode http
  timeout connect 2s
  timeout client 3m
  timeout server 3m
  option forwardfor
  http-reuse always
listen front
  bind 127.0.0.1:%d
`, port)
	for i, r := range replicas {
		text += fmt.Sprintf("  server s%d %s\n", i, r)
	}
	path := filepath.Join(b.work, "haproxy.cfg")
	return []string{"haproxy", "-db", "-f", path}, os.WriteFile(path, []byte(text), 0o600)
}

func (b *bench) nginxCommand(port int, replicas []string) ([]string, error) {
	text := fmt.Sprintf("worker_processes auto;\ndaemon off;\nmaster_process on;\npid %s/nginx.pid;\nerror_log %s/nginx.log;\nevents { worker_connections 1024; }\nhttp {\n  access_log off;\n", b.work, b.work)
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		text += fmt.Sprintf("  %s_temp_path %s/nginx-%s;\n", kind, b.work, kind)
	}
	text += "  keepalive_requests 100000000;\n  upstream replicas {\n"
	for _, r := range replicas {
		text += fmt.Sprintf("    server %s;\n", r)
	}
	text += fmt.Sprintf(`    keepalive 64;
    keepalive_requests 100000000;
  }
  server {
    listen 127.0.0.1:%d;
    location / {
      proxy_pass http://replicas;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $remote_addr;
    }
  }
}
`, port)
	path := filepath.Join(b.work, "nginx.conf")
	return []string{"nginx", "-p", b.work, "-c", path}, os.WriteFile(path, []byte(text), 0o600)
}

// addFrontRows adds the figures of each front, and the ratios of each round.
func (b *bench) addFrontRows(fronts []*front) {
	byName := map[string]*front{}
	for _, f := range fronts {
		byName[f.name] = f
		b.Note(fmt.Sprintf("/predict, two replicas, %d clients: %s", frontClients, f.name),
			fmt.Sprintf("%.0f/s, p99 %.1f ms", quantile.Of(f.rates, 0.5), measure.Milliseconds(quantile.Of(f.p99, 0.5))))
	}
	ours := byName["Slipway"]
	for _, f := range fronts {
		if f.name != "haproxy" && f.name != "nginx" {
			continue
		}
		var rates, p99 []float64
		for i := range f.rates {
			rates = append(rates, ours.rates[i]/f.rates[i])
			p99 = append(p99, float64(ours.p99[i])/float64(f.p99[i]))
		}
		slices.Sort(rates)
		rate, tail := quantile.Of(rates, 0.5), quantile.Of(p99, 0.5)
		spread := fmt.Sprintf(" (%.2f to %.2f in %d rounds)", rates[0], rates[len(rates)-1], len(rates))
		if f.name == "haproxy" {
			b.Add("Slipway / haproxy: requests per second", ">= 0.8", fmt.Sprintf("%.2f%s", rate, spread), rate >= 0.8)
			b.Add("Slipway / haproxy: p99", "<= 1.2", fmt.Sprintf("%.2f", tail), tail <= 1.2)
			continue
		}
		b.Note("Slipway / nginx: requests per second, p99", fmt.Sprintf("%.2f%s, %.2f", rate, spread, tail))
	}
}
