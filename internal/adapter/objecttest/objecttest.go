// Package objecttest starts, for tests, what the drivers of the shared state keep their
// objects in: a folder, emulators of S3, Azure and Google Cloud Storage, and PostgreSQL.
// What goes wrong on the way there is up to the test.
package objecttest

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/aws/objects"
	"github.com/slipway-cd/slipway/internal/adapter/bucket"
	"github.com/slipway-cd/slipway/internal/adapter/objectfolder"
	"github.com/slipway-cd/slipway/internal/adapter/postgres"
	"github.com/slipway-cd/slipway/internal/port"
)

// Drivers lists the drivers of the shared state.
func Drivers() []string { return []string{"folder", "s3", "azure", "gcs", "postgres"} }

// Buckets lists the drivers that keep objects in a bucket.
func Buckets() []string { return []string{"s3", "azure", "gcs"} }

// Server is where a driver keeps its objects, empty at first, until the test ends.
type Server struct {
	// Environ are the variables that processes which use the server need.
	Environ []string
	// Faults are what goes wrong between the driver and the server. Those of a folder
	// concern only what Open returns: other processes reach it without a way.
	Faults *Faults

	at func(prefix string) string
}

// Start starts the server of a driver. Where it is not installed, the test is skipped,
// unless SLIPWAY_REQUIRE_DRIVERS lists the driver, or is "all": then it fails.
func Start(t testing.TB, driver string) *Server {
	t.Helper()
	s := &Server{Faults: &Faults{}}
	switch driver {
	case "folder":
		dir := t.TempDir()
		s.at = func(prefix string) string { return filepath.Join(dir, filepath.FromSlash(prefix)) }
	case "s3":
		s.startS3With(t, func(h http.Handler) http.Handler { return h })
	case "azure":
		s.startAzure(t)
	case "gcs":
		s.startGCS(t)
	case "postgres":
		s.startPostgres(t)
	default:
		t.Fatalf("unknown driver %q, want one of %q", driver, Drivers())
	}
	return s
}

// missing ends the test, because the driver's server is not installed.
func missing(t testing.TB, driver, why string) {
	t.Helper()
	required := strings.Split(os.Getenv("SLIPWAY_REQUIRE_DRIVERS"), ",")
	if slices.Contains(required, driver) || slices.Contains(required, "all") {
		t.Fatalf("the driver %s is required: %s", driver, why)
	}
	t.Skip(why)
}

// Location is how the state at a prefix is named in slipway.yaml. Prefixes do not see
// each other's objects. A prefix is a path without a slash around it.
func (s *Server) Location(prefix string) string { return s.at(prefix) }

// environment guards the variables of this process while a store is opened: the SDKs
// read them then, and tests of several drivers run at once.
var environment sync.Mutex

// Open opens the store at a prefix, in this process. It is closed when the test ends.
func (s *Server) Open(t testing.TB, prefix string) port.ObjectStore {
	t.Helper()
	return s.OpenWith(t, prefix, "")
}

// OpenWith is Open with more parameters of the URL: "&key=value".
func (s *Server) OpenWith(t testing.TB, prefix, query string) port.ObjectStore {
	t.Helper()
	return s.open(t, s.Location(prefix)+query)
}

// OpenBucket opens another bucket of the server, which is missing there.
func (s *Server) OpenBucket(t testing.TB, bucket string) port.ObjectStore {
	t.Helper()
	return s.open(t, strings.Replace(s.Location(""), "://"+bucketName, "://"+bucket, 1))
}

func (s *Server) open(t testing.TB, at string) port.ObjectStore {
	t.Helper()
	if filepath.IsAbs(at) {
		return unreliable{objectfolder.Store{Dir: at}, s.Faults}
	}
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	environment.Lock()
	defer environment.Unlock()
	defer setenv(t, s.Environ)()
	var store interface {
		port.ObjectStore
		io.Closer
	}
	switch u.Scheme {
	case "postgres":
		store, err = postgres.Open(t.Context(), u)
	case "s3":
		store, err = objects.Open(t.Context(), u)
	default:
		store, err = bucket.Open(t.Context(), u)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// setenv sets the variables, and returns what takes them back.
func setenv(t testing.TB, variables []string) (restore func()) {
	t.Helper()
	before := os.Environ()
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		if err := os.Setenv(name, value); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		for _, v := range variables {
			name, _, _ := strings.Cut(v, "=")
			_ = os.Unsetenv(name) // it was set
			for _, old := range before {
				if value, ok := strings.CutPrefix(old, name+"="); ok {
					_ = os.Setenv(name, value)
				}
			}
		}
	}
}
