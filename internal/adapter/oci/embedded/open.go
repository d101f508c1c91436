package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem" // registers the driver by its name

	"github.com/slipway-cd/slipway/internal/fault"
)

// Lazy returns a function that opens the registry in dir at the first call that
// succeeds, and returns the same one from then on.
func Lazy(dir string) func() (*Registry, error) {
	var mu sync.Mutex
	var opened *Registry
	return func() (*Registry, error) {
		mu.Lock()
		defer mu.Unlock()
		if opened != nil {
			return opened, nil
		}
		r, err := Open(dir)
		if err == nil {
			opened = r
		}
		return r, err
	}
}

// Open opens the registry in dir, which is created if necessary. No port is opened;
// see Listen.
func Open(dir string) (r *Registry, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open the embedded registry: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fault.New(fault.FileKind(err), "open the embedded registry in %s", dir).Cause(err)
	}
	// The library panics over a configuration that it refuses.
	defer func() {
		if p := recover(); p != nil {
			r, err = nil, fault.New(fault.Internal, "open the embedded registry in %s: %v", dir, p)
		}
	}()
	ctx, cancel := context.WithCancel(withoutLogs(context.Background()))
	app := handlers.NewApp(ctx, configure(dir))
	r = &Registry{dir: dir}
	r.handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { r.route(app, w, req) })
	r.transport = r.serveInProcess(ctx)
	r.closers = append(r.closers, func() error { cancel(); return app.Shutdown() })
	return r, nil
}

// Close ends what was opened; requests in flight are aborted. Nothing is written any
// more once it returns.
func (r *Registry) Close() error {
	var errs []error
	for i := len(r.closers) - 1; i >= 0; i-- {
		errs = append(errs, r.closers[i]())
	}
	r.closers = nil
	r.inFlight.Lock() // a server that is closed does not wait for its handlers
	defer r.inFlight.Unlock()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close the embedded registry: %w", err)
	}
	return nil
}

func configure(dir string) *configuration.Configuration {
	c := &configuration.Configuration{Storage: configuration.Storage{
		"filesystem":  configuration.Parameters{"rootdirectory": dir},
		"maintenance": configuration.Parameters{"uploadpurging": map[any]any{"enabled": false}}, // it would walk everything, and log
		"delete":      configuration.Parameters{"enabled": true},
	}}
	c.HTTP.Secret = rand.Text() // of uploads in flight, which no other process continues
	c.HTTP.RelativeURLs = true
	return c
}
