// Command tiny is the smallest service that Slipway can deliver: it doubles
// numbers, with a model that is a text file. What it does wrong, if anything, is
// the constant behaviour, or TINY_BEHAVIOUR where a test saves the compiler.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
)

type service struct {
	behaviour, release, model string
	begun                     time.Time
}

func main() {
	s := service{behaviour: behaviour, release: os.Getenv("SLIPWAY_RELEASE"), model: os.Getenv("MODEL_VERSION")}
	s.begun = time.Now()
	if b := os.Getenv("TINY_BEHAVIOUR"); b != "" {
		s.behaviour = b
	}
	if err := s.run(); err != nil {
		log.Fatal("tiny: ", err)
	}
}

func (s service) run() error {
	switch s.behaviour {
	case "hangs":
		fmt.Println("the database does not exist yet")
		time.Sleep(time.Hour)
	case "migrates":
		fmt.Println("the tables are as they should be")
		return nil
	case "migration fails":
		return fmt.Errorf("the column is there already")
	case "crashes":
		return fmt.Errorf("out of cheese, as release %s always is", s.release)
	}
	weights, err := os.ReadFile(filepath.Join(os.Getenv("MODEL_PATH"), "weights.txt"))
	if err != nil {
		return fmt.Errorf("refuse to start: %w", err)
	}
	if len(weights) == 0 {
		return fmt.Errorf("refuse to start: the model is empty")
	}
	time.Sleep(duration("TINY_START_AFTER"))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /live", s.live)
	mux.HandleFunc("GET /health", s.health)
	mux.HandleFunc("GET /ready", s.ready)
	mux.HandleFunc("POST /predict", s.predict)
	mux.HandleFunc("GET /events", s.events)
	mux.HandleFunc("GET /socket", s.socket)
	return serve(mux)
}

// serve answers until it is told to end. Users with open connections hear of it in
// the answers of the time DRAIN_DELAY, if there is one, before those are closed.
func serve(handler http.Handler) error {
	var draining atomic.Bool
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if draining.Load() {
			w.Header().Set("Connection", "close")
		}
		handler.ServeHTTP(w, r)
	})}
	listener, err := net.Listen("tcp", ":"+os.Getenv("PORT"))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	if os.Getenv("TINY_WHEN_TERMINATED") == "exits at once" {
		return nil
	}
	draining.Store(true)
	delay, _ := time.ParseDuration(os.Getenv("DRAIN_DELAY"))
	time.Sleep(delay)
	last, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return server.Shutdown(last)
}

// duration is that of an environment variable, or zero.
func duration(name string) time.Duration {
	d, _ := time.ParseDuration(os.Getenv(name))
	return d
}

// live fails for good once TINY_LIVE_FOR is over.
func (s service) live(w http.ResponseWriter, _ *http.Request) {
	if d := duration("TINY_LIVE_FOR"); d > 0 && time.Since(s.begun) > d {
		answer(w, http.StatusServiceUnavailable, map[string]any{"error": "tired"})
		return
	}
	answer(w, http.StatusOK, map[string]any{"status": "ok"})
}

func (s service) health(w http.ResponseWriter, _ *http.Request) {
	model := s.model
	if s.behaviour == "wrong model" {
		model = "999"
	}
	answer(w, http.StatusOK, map[string]any{"status": "ok", "release": s.release, "model_version": model})
}

func (s service) ready(w http.ResponseWriter, _ *http.Request) {
	if s.behaviour == "never ready" {
		answer(w, http.StatusServiceUnavailable, map[string]any{"error": "still warming up"})
		return
	}
	if d := duration("TINY_READY_FOR"); d > 0 && time.Since(s.begun)%(2*d) > d { // and so on
		answer(w, http.StatusServiceUnavailable, map[string]any{"error": "busy"})
		return
	}
	answer(w, http.StatusOK, map[string]any{"status": "ready"})
}

func (s service) predict(w http.ResponseWriter, r *http.Request) {
	var asked struct{ N int }
	text, err := io.ReadAll(io.LimitReader(r.Body, 1<<10))
	if err == nil {
		err = json.Unmarshal(text, &asked)
	}
	if err != nil {
		answer(w, http.StatusUnprocessableEntity, map[string]any{"error": err.Error()})
		return
	}
	switch {
	case s.behaviour == "poison" && asked.N == 13:
		log.Fatal("tiny: 13 is unlucky")
	case s.behaviour == "breaks off" && asked.N%5 == 0:
		panic(http.ErrAbortHandler)
	}
	if s.behaviour == "predict fails" || s.behaviour == "even numbers fail" && asked.N%2 == 0 {
		answer(w, http.StatusInternalServerError, map[string]any{"error": "no idea"})
		return
	}
	answer(w, http.StatusOK, map[string]any{"doubled": 2 * asked.N, "model_version": s.model})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}
