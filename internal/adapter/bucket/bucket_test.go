package bucket_test

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/bucket"
	"github.com/slipway-cd/slipway/internal/adapter/objecttest"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// TestObjectStore holds every kind of bucket to the port's suite.
func TestObjectStore(t *testing.T) {
	for _, driver := range objecttest.Buckets() {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			server := objecttest.Start(t, driver)
			var stores atomic.Int64
			porttest.TestObjectStore(t, func(t *testing.T) func() port.ObjectStore {
				prefix := fmt.Sprintf("teams/retail-%d", stores.Add(1))
				return func() port.ObjectStore { return server.Open(t, prefix) }
			})
		})
	}
}

// TestStore_WithoutPrefix is a bucket that holds nothing but the state.
func TestStore_WithoutPrefix(t *testing.T) {
	porttest.TestObjectStore(t, func(t *testing.T) func() port.ObjectStore {
		server := objecttest.Start(t, "s3")
		return func() port.ObjectStore { return server.Open(t, "") }
	})
}

// TestStore_Prefix proves that two prefixes of a bucket do not see each other.
func TestStore_Prefix(t *testing.T) {
	for _, driver := range objecttest.Buckets() {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			server := objecttest.Start(t, driver)
			for _, prefix := range []string{"a", "b/"} {
				if err := server.Open(t, prefix).Create(t.Context(), "log/1", nil); err != nil {
					t.Fatal(err)
				}
			}
			found, err := server.Open(t, "").List(t.Context(), "", "", 10)
			if err != nil || len(found) != 2 || found[0].Key != "a/log/1" || found[1].Key != "b/log/1" {
				t.Errorf("objects = %v (error = %v), want a/log/1 and b/log/1", found, err)
			}
		})
	}
}

func TestOpen_Errors(t *testing.T) {
	for at, want := range map[string]fault.Kind{"s3://": fault.Invalid, "ftp://x": fault.Invalid, "s3://b?nonsense=1": fault.Invalid} {
		u, _ := url.Parse(at)
		if _, err := bucket.Open(t.Context(), u); !fault.Is(err, want) {
			t.Errorf("open %s: error = %v, want %s", at, err, want)
		}
	}
}

// TestStore_Unavailable: an error names the bucket and the object, without credentials.
func TestStore_Unavailable(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	server := httptest.NewServer(nil)
	server.Close()
	u, err := url.Parse("s3://state/p?region=us-east-1&use_path_style=true&endpoint=" + url.QueryEscape(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	s, err := bucket.Open(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Create(t.Context(), "log/1", []byte("x"))
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "create log/1 in s3://state/p") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error = %v, want %s, with the object and the bucket", err, fault.Unavailable)
	}
}

// TestStore_BucketMissing: a bucket that is missing is not taken for one without objects,
// in which a log could begin.
func TestStore_BucketMissing(t *testing.T) {
	for _, driver := range objecttest.Buckets() {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			s := objecttest.Start(t, driver).OpenBucket(t, "nowhere")
			_, _, openErr := s.Open(t.Context(), "log.json")
			_, listErr := s.List(t.Context(), "log/", "", 1)
			for name, err := range map[string]error{
				"open": openErr, "list": listErr, "create": s.Create(t.Context(), "a", []byte("x")), "put": s.Put(t.Context(), "a", strings.NewReader("x")),
			} {
				if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "is missing") || fault.HintOf(err) == "" {
					t.Errorf("%s: error = %v (%s), want that the bucket is missing, and what to do", name, err, fault.KindOf(err))
				}
			}
		})
	}
}
