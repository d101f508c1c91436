// Command sample is the service that the target suites deploy. SAMPLE_MODE makes
// it misbehave: "crash" ends with code 3 at once, "done" with code 0, "unready" never becomes ready,
// "writes" needs a file beside the program.
// It listens on SAMPLE_HOST, which is this machine alone when it is empty, and on
// SAMPLE_FIXED_LISTEN, whatever PORT says, unless it is empty. (A cluster sets
// SAMPLE_PORT for a Service of that name.)
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	mode := os.Getenv("SAMPLE_MODE")
	fmt.Println("sample", os.Getenv("SAMPLE_VERSION"), "starts")
	if mode == "crash" {
		fmt.Fprintln(os.Stderr, "sample: no model to load")
		os.Exit(3)
	}
	if mode == "done" {
		return // a job that has nothing to do
	}
	if mode == "writes" {
		if err := os.WriteFile("/app/state", []byte("x"), 0o600); err != nil {
			fmt.Fprintln(os.Stderr, "sample:", err)
			os.Exit(5)
		}
	}
	if mode == "slow start" {
		time.Sleep(time.Second) // a model that takes a while to load
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]string{"status": "ok", "release": os.Getenv("SLIPWAY_RELEASE"), "model_version": os.Getenv("MODEL_VERSION"), "version": os.Getenv("SAMPLE_VERSION")})
	})
	mux.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) {
		if mode == "unready" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		ms, _ := strconv.Atoi(r.URL.Query().Get("ms"))
		fmt.Println("slow request begins")
		time.Sleep(time.Duration(ms) * time.Millisecond) // the work that it stands for
		reply(w, map[string]string{"release": os.Getenv("SLIPWAY_RELEASE")})
	})
	mux.HandleFunc("/status", func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.URL.Query().Get("code"))
		w.WriteHeader(code)
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	mux.HandleFunc("/inside", inside)
	mux.HandleFunc("/write", write)
	mux.HandleFunc("/exit", func(_ http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.URL.Query().Get("code"))
		fmt.Println("sample: told to exit")
		os.Exit(code)
	})
	mux.HandleFunc("/eat", func(_ http.ResponseWriter, r *http.Request) {
		mib, _ := strconv.Atoi(r.URL.Query().Get("mib"))
		all := make([]byte, mib<<20)
		for i := 0; i < len(all); i += 4096 {
			all[i] = 1
		}
	})
	var told figures
	mux.Handle("/metrics", &told)
	serve(freezable(told.count(mux)))
}

// freezable responds to no request from one to /freeze until one to /thaw.
func freezable(h http.Handler) http.Handler {
	var frozen atomic.Bool
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/freeze":
			frozen.Store(true)
		case "/thaw":
			frozen.Store(false)
			return
		}
		if frozen.Load() {
			<-r.Context().Done()
			return
		}
		h.ServeHTTP(w, r)
	})
}

func serve(h http.Handler) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	host := os.Getenv("SAMPLE_HOST")
	if host == "" {
		host = "127.0.0.1"
	}
	at := os.Getenv("SAMPLE_FIXED_LISTEN")
	if at == "" {
		at = os.Getenv("PORT")
	}
	server := &http.Server{Addr: net.JoinHostPort(host, at), Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := server.ListenAndServe(); err != http.ErrServerClosed {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(4)
		}
	}()
	<-ctx.Done()
	_ = server.Shutdown(context.Background())
}

// inside tells what the service sees of its container.
func inside(w http.ResponseWriter, _ *http.Request) {
	status, _ := os.ReadFile("/proc/self/status")
	seen := map[string]any{"uid": os.Getuid(), "gid": os.Getgid(), "pid": os.Getpid(), "env": os.Environ()}
	for _, line := range strings.Split(string(status), "\n") {
		if k, v, ok := strings.Cut(line, ":"); ok && (strings.HasPrefix(k, "Cap") || k == "NoNewPrivs" || k == "Seccomp" || k == "Groups") {
			seen[k] = strings.TrimSpace(v)
		}
	}
	model, err := os.ReadFile(os.Getenv("MODEL_PATH") + "/model.txt")
	seen["model"] = string(model)
	if err != nil {
		seen["model"] = err.Error()
	}
	seen["root"] = list("/")
	seen["processes"] = processes()
	seen["hostname"], _ = os.Hostname()
	reply(w, seen)
}

func list(dir string) []string {
	entries, _ := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func processes() int {
	n := 0
	for _, name := range list("/proc") {
		if _, err := strconv.Atoi(name); err == nil {
			n++
		}
	}
	return n
}

// write tries to write a file and tells how it went.
func write(w http.ResponseWriter, r *http.Request) {
	err := os.WriteFile(r.URL.Query().Get("path"), []byte("x"), 0o600)
	reply(w, map[string]string{"error": fmt.Sprint(err)})
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
