package oci

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem" // registers the driver by its name
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/sirupsen/logrus"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// embeddedHost stands for the embedded registry in requests that never leave
// this process; .invalid can't be anybody's.
const embeddedHost = "embedded.slipway.invalid"

// abandoned is how long an upload must have been quiet before it is removed:
// its writer was killed.
const abandoned = time.Hour

// Embedded is a registry in a folder, served by this process. Several processes
// may have the same folder open.
type Embedded struct {
	dir       string
	app       http.Handler
	transport http.RoundTripper
	close     []func() error
	busy      sync.RWMutex // held for reading by each request
}

// Lazy opens the registry in dir at the first call that succeeds, once.
func Lazy(dir string) func() (*Embedded, error) {
	var mu sync.Mutex
	var open *Embedded
	return func() (*Embedded, error) {
		mu.Lock()
		defer mu.Unlock()
		if open != nil {
			return open, nil
		}
		e, err := OpenEmbedded(dir)
		if err == nil {
			open = e
		}
		return e, err
	}
}

// OpenEmbedded opens the registry in dir, which it makes if need be. No port is
// opened; see Listen.
func OpenEmbedded(dir string) (e *Embedded, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open the embedded registry: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fault.New(kindOf(err), "open the embedded registry in %s", dir).Cause(err)
	}
	// The library panics over what it does not like.
	defer func() {
		if p := recover(); p != nil {
			e, err = nil, fault.New(fault.Internal, "open the embedded registry in %s: %v", dir, p)
		}
	}()
	ctx, cancel := context.WithCancel(silence(context.Background()))
	e = &Embedded{dir: dir}
	app := handlers.NewApp(ctx, settings(dir))
	e.app = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.serveReferrers(app, w, r) })
	e.transport = e.serveInside(ctx)
	e.close = append(e.close, func() error { cancel(); return app.Shutdown() })
	return e, nil
}

// Close ends what was opened; requests under way are broken off. Nothing is
// written any more once it returns.
func (e *Embedded) Close() error {
	var first error
	for i := len(e.close) - 1; i >= 0; i-- {
		if err := e.close[i](); err != nil && first == nil {
			first = fmt.Errorf("close the embedded registry: %w", err)
		}
	}
	e.close = nil
	e.busy.Lock() // a server that is closed does not wait for its handlers
	defer e.busy.Unlock()
	return first
}

func settings(dir string) *configuration.Configuration {
	c := &configuration.Configuration{Storage: configuration.Storage{
		"filesystem":  configuration.Parameters{"rootdirectory": dir},
		"maintenance": configuration.Parameters{"uploadpurging": map[any]any{"enabled": false}}, // it would walk everything, and log
		"delete":      configuration.Parameters{"enabled": true},
	}}
	c.HTTP.Secret = rand.Text() // of uploads under way, which no other process continues
	c.HTTP.RelativeURLs = true
	return c
}

// silence is a context in which the library finds a logger that says nothing.
// The library's key is not exported; the alternative is to change the logger of
// the whole process.
func silence(ctx context.Context) context.Context {
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	quiet.SetLevel(logrus.PanicLevel)
	return silenced{ctx, logrus.NewEntry(quiet)}
}

type silenced struct {
	context.Context
	logger *logrus.Entry
}

func (s silenced) Value(key any) any {
	if t := reflect.TypeOf(key); t != nil && t.Name() == "loggerKey" && strings.HasSuffix(t.PkgPath(), "/dcontext") {
		return s.logger
	}
	return s.Context.Value(key)
}

// serveInside serves an in-memory listener and returns the way to it.
func (e *Embedded) serveInside(ctx context.Context) http.RoundTripper {
	l := newMemory()
	srv := &http.Server{
		Handler:           e.app,
		ErrorLog:          log.New(io.Discard, "", 0),
		BaseContext:       baseContext(ctx),
		ReadHeaderTimeout: time.Minute,
	}
	go func() { _ = srv.Serve(l) }() // ends with Close, which reports
	e.close = append(e.close, srv.Close)
	return inside{&http.Transport{
		DialContext:        l.dial,
		DisableCompression: true,
		WriteBufferSize:    256 << 10,
		ReadBufferSize:     256 << 10,
		IdleConnTimeout:    10 * time.Second,
	}}
}

// inside speaks HTTP where clients believe in HTTPS: nothing leaves the process.
type inside struct{ next http.RoundTripper }

func (i inside) RoundTrip(req *http.Request) (*http.Response, error) {
	plain := req.Clone(req.Context())
	plain.URL.Scheme = "http"
	resp, err := i.next.RoundTrip(plain)
	if resp != nil {
		resp.Request = req
	}
	return resp, err
}

var uploadPath = regexp.MustCompile(`^/v2/(.+)/blobs/uploads/([0-9a-f-]{36})$`)

// serve answers a request, and removes an upload that broke off: clients start
// anew, and its bytes would fill the disk for nothing.
func (e *Embedded) serve(app http.Handler, w http.ResponseWriter, r *http.Request) {
	e.busy.RLock()
	defer e.busy.RUnlock()
	seen := &statusWriter{ResponseWriter: w}
	upload := uploadPath.FindStringSubmatch(r.URL.Path)
	if upload != nil {
		defer func() {
			if n, err := parseName(upload[1]); err == nil && n.host == "" && seen.status >= 400 {
				_ = os.RemoveAll(filepath.Join(e.repository(n.path), "_uploads", upload[2]))
			}
		}()
	}
	app.ServeHTTP(seen, r)
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s *statusWriter) WriteHeader(code int) { s.status = code; s.ResponseWriter.WriteHeader(code) }

// Unwrap lets the server's abilities (flushing) through.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (e *Embedded) repository(path string) string {
	return filepath.Join(e.dir, "docker", "registry", "v2", "repositories", filepath.FromSlash(path))
}

// blobFile is where the registry keeps a blob. The layout is the library's, and
// stable since its second version; a test holds it.
func (e *Embedded) blobFile(d delivery.Digest) string {
	return filepath.Join(e.dir, "docker", "registry", "v2", "blobs", "sha256", d.Hex()[:2], d.Hex(), "data")
}

// holds tells whether everything below the manifest is there in full length.
// Damage to the content itself shows when it is read.
func (e *Embedded) holds(d delivery.Digest) bool {
	raw, err := os.ReadFile(e.blobFile(d))
	if err != nil {
		return false
	}
	var m struct {
		Config    *v1.Descriptor  `json:"config"`
		Layers    []v1.Descriptor `json:"layers"`
		Manifests []v1.Descriptor `json:"manifests"`
	}
	if json.Unmarshal(raw, &m) != nil {
		return false
	}
	parts := append([]v1.Descriptor{}, m.Layers...)
	if m.Config != nil {
		parts = append(parts, *m.Config)
	}
	for _, p := range append(parts, m.Manifests...) {
		if !e.hasBlob(p) {
			return false
		}
	}
	for _, p := range m.Manifests {
		if !e.holds(delivery.Digest(p.Digest.String())) {
			return false
		}
	}
	return true
}

func (e *Embedded) hasBlob(p v1.Descriptor) bool {
	d := delivery.Digest(p.Digest.String())
	if !d.Valid() {
		return false
	}
	info, err := os.Stat(e.blobFile(d))
	return err == nil && info.Size() == p.Size
}

// heal removes a blob that was cut off or grew, so that it is uploaded again:
// the registry looks only at whether there is one.
func (e *Embedded) heal(p v1.Descriptor) {
	if d := delivery.Digest(p.Digest.String()); d.Valid() {
		if info, err := os.Stat(e.blobFile(d)); err == nil && info.Size() != p.Size {
			e.forget(p)
		}
	}
}

// forget removes a blob, if it is there.
func (e *Embedded) forget(p v1.Descriptor) {
	if d := delivery.Digest(p.Digest.String()); d.Valid() {
		_ = os.Remove(e.blobFile(d))
	}
}

// sweep removes uploads into the repository whose writer was killed.
func (e *Embedded) sweep(path string, now time.Time) {
	uploads := filepath.Join(e.repository(path), "_uploads")
	entries, _ := os.ReadDir(uploads) // none is fine
	for _, entry := range entries {
		last, err := os.Stat(filepath.Join(uploads, entry.Name(), "data"))
		if err != nil {
			last, err = entry.Info()
		}
		if err == nil && now.Sub(last.ModTime()) > abandoned {
			_ = os.RemoveAll(filepath.Join(uploads, entry.Name()))
		}
	}
}
