package bucket_test

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/bucket"
	"github.com/slipway-cd/slipway/internal/adapter/bucket/buckettest"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func open(t *testing.T, at string) *bucket.Store {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	s, err := bucket.Open(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore_S3(t *testing.T) {
	for _, prefix := range []string{"", "/teams/retail"} {
		t.Run("prefix "+prefix, func(t *testing.T) {
			porttest.TestObjectStore(t, func(t *testing.T) func() port.ObjectStore {
				at := buckettest.StartS3(t)(prefix)
				return func() port.ObjectStore { return open(t, at) }
			})
		})
	}
}

// TestStore_Prefix proves that two prefixes of a bucket do not see each other.
func TestStore_Prefix(t *testing.T) {
	at := buckettest.StartS3(t)
	a, b := open(t, at("/a")), open(t, at("/b/"))
	for _, s := range []*bucket.Store{a, b} {
		if err := s.Create(t.Context(), "log/1", nil); err != nil {
			t.Fatal(err)
		}
	}
	found, err := open(t, at("")).List(t.Context(), "", "", 10)
	if err != nil || len(found) != 2 || found[0].Key != "a/log/1" || found[1].Key != "b/log/1" {
		t.Errorf("objects = %v (error = %v), want a/log/1 and b/log/1", found, err)
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
	s := open(t, "s3://state/p?region=us-east-1&use_path_style=true&endpoint="+url.QueryEscape(server.URL))
	err := s.Create(t.Context(), "log/1", []byte("x"))
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "create log/1 in s3://state/p") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error = %v, want %s, with the object and the bucket", err, fault.Unavailable)
	}
}
