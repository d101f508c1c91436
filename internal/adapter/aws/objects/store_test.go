package objects_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/objects"
	"github.com/slipway-cd/slipway/internal/adapter/objecttest"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func TestStore(t *testing.T) {
	t.Run("s3", func(t *testing.T) { objecttest.TestBucket(t, "s3") })
}

// TestStore_WithoutPrefix is a bucket that holds nothing but the state.
func TestStore_WithoutPrefix(t *testing.T) {
	porttest.TestObjectStore(t, func(t *testing.T) func() port.ObjectStore {
		server := objecttest.Start(t, "s3")
		return func() port.ObjectStore { return server.Open(t, "") }
	})
}

// TestStore_Parts stores objects around the size of a part and of several, and reads
// them back.
func TestStore_Parts(t *testing.T) {
	const part = 16 << 20
	s := objecttest.Start(t, "s3").Open(t, "p")
	for _, size := range []int{part - 1, part, part + 1, 5*part + 7} {
		content := bytes.Repeat([]byte("0123456789abcde"), size/15+1)[:size]
		key := fmt.Sprint("model-", size) // the emulator gives an object that is replaced by parts the old one's checksum
		if err := s.Put(t.Context(), key, bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
		r, o, err := s.Open(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, content) || o.Size != int64(size) {
			t.Errorf("%d bytes: %d came back (%d by the header, error = %v)", size, len(got), o.Size, err)
		}
		_ = r.Close()
	}
}

// TestStore_PartsFail: content that breaks off in its third part leaves the old object
// and no parts.
func TestStore_PartsFail(t *testing.T) {
	server := objecttest.Start(t, "s3")
	s := server.Open(t, "p")
	if err := s.Put(t.Context(), "model", strings.NewReader("old")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the disk is gone")
	content := io.MultiReader(io.LimitReader(zeros{}, 40<<20), iotest.ErrReader(broken))
	if err := s.Put(t.Context(), "model", content); !errors.Is(err, broken) {
		t.Errorf("error = %v, want that of the content", err)
	}
	r, o, err := s.Open(t.Context(), "model")
	if err != nil || o.Size != 3 {
		t.Fatalf("object of %d bytes, error = %v, want the old one", o.Size, err)
	}
	_ = r.Close()
	if n := server.Uploads(t); n != 0 {
		t.Errorf("%d uploads stayed", n)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestOpen_Errors(t *testing.T) {
	awstest.Isolate(t)
	t.Setenv("AWS_DEFAULT_REGION", "")
	for at, want := range map[string]string{
		"s3://b": "its region is not known",
		"s3://":  "names no bucket", "s3://b?nonsense=1": "nonsense", "s3://b?region=eu-west-1&ssetype=rot13": "rot13", "s3://b?use_path_style=perhaps": "perhaps",
	} {
		u, _ := url.Parse(at)
		if _, err := objects.Open(t.Context(), u); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("open %s: error = %v, want %s with %q", at, err, fault.Invalid, want)
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
	s, err := objects.Open(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Create(t.Context(), "log/1", []byte("x"))
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "create log/1 in s3://state/p") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error = %v, want %s, with the object and the bucket", err, fault.Unavailable)
	}
}
