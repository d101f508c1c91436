package oci_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/oci"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// ordinary is a registry as others run them: over HTTP on loopback, with a
// password, and with trouble when a test wants some.
type ordinary struct {
	host string

	mu       sync.Mutex
	requests []string
	trouble  func(r *http.Request) int // status to answer instead, 0: none
}

func startOrdinary(t *testing.T) *ordinary {
	t.Helper()
	addr := serveOpenly(t, openEmbedded(t))
	o := &ordinary{}
	proxy := &httputil.ReverseProxy{ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: addr}) }}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "ci" || password != "s3cret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		o.mu.Lock()
		o.requests = append(o.requests, r.Method+" "+r.URL.Path)
		status := 0
		if o.trouble != nil {
			status = o.trouble(r)
		}
		o.mu.Unlock()
		if status != 0 {
			w.WriteHeader(status)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	o.host = strings.TrimPrefix(srv.URL, "http://")
	return o
}

func (o *ordinary) count(method, part string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, r := range o.requests {
		if strings.HasPrefix(r, method+" ") && strings.Contains(r, part) {
			n++
		}
	}
	return n
}

// login writes Docker's configuration with a password for the host.
func login(t *testing.T, host, password string) {
	t.Helper()
	dir := t.TempDir()
	auth := base64.StdEncoding.EncodeToString([]byte("ci:" + password))
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"auths":{"`+host+`":{"auth":"`+auth+`"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCKER_CONFIG", dir)
}

func TestImages_RemoteRegistry(t *testing.T) {
	porttest.TestImageStore(t, func(t *testing.T) (port.ImageStore, string) {
		o := startOrdinary(t)
		login(t, o.host, "s3cret")
		return oci.New(oci.Config{RetryDelay: time.Millisecond}), o.host + "/mlops/retail-api"
	})
}

func TestPush_WrongPassword(t *testing.T) {
	o := startOrdinary(t)
	built := porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{}, []porttest.LayerEntry{{Name: "a"}})
	img := delivery.Image{Repository: o.host + "/a/b", Digest: built.Digest}
	for _, password := range []string{"wrong-pass", ""} {
		login(t, o.host, password)
		_, err := oci.New(oci.Config{}).Push(t.Context(), built.Layout, img, "v1", nil)
		if !fault.Is(err, fault.Denied) || !strings.Contains(fault.HintOf(err), "docker login "+o.host) {
			t.Errorf("Push = %v (%s), want denied with how to log in", err, fault.HintOf(err))
		}
		if password != "" && strings.Contains(err.Error(), password) {
			t.Errorf("error %q contains the password", err)
		}
	}
}

func TestHas_UnreachableRegistry(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	host := strings.TrimPrefix(srv.URL, "http://")
	srv.Close()
	r := oci.New(oci.Config{RetryDelay: time.Millisecond})
	_, err := r.Has(t.Context(), delivery.Image{Repository: host + "/a/b", Digest: delivery.Digest("sha256:" + strings.Repeat("0", 64))})
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), host) {
		t.Errorf("Has = %v, want unavailable, naming the host", err)
	}
}

func TestHas_RefusesCleartext(t *testing.T) {
	r := oci.New(oci.Config{RetryDelay: time.Millisecond, Transport: refuseTLS{t}})
	_, err := r.Has(t.Context(), delivery.Image{Repository: "192.168.7.7:5000/a/b", Digest: delivery.Digest("sha256:" + strings.Repeat("0", 64))})
	if err == nil {
		t.Error("a registry without encryption on another machine was accepted")
	}
}

// refuseTLS is a network without TLS.
type refuseTLS struct{ t *testing.T }

func (r refuseTLS) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "http" {
		r.t.Errorf("%s was sent without encryption", req.URL)
	}
	return nil, fault.New(fault.Unavailable, "no TLS here")
}

func TestPush_SendsMissingLayersOnly(t *testing.T) {
	o := startOrdinary(t)
	login(t, o.host, "s3cret")
	r := oci.New(oci.Config{RetryDelay: time.Millisecond})
	base := []porttest.LayerEntry{{Name: "base", Body: strings.Repeat("b", 1<<16)}}
	for i, app := range []string{"one", "two"} {
		built := porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{}, base, []porttest.LayerEntry{{Name: "app", Body: app}})
		before := o.count(http.MethodPatch, "/blobs/uploads/")
		if _, err := r.Push(t.Context(), built.Layout, delivery.Image{Repository: o.host + "/a/b", Digest: built.Digest}, "v1", nil); err != nil {
			t.Fatal(err)
		}
		if got, want := o.count(http.MethodPatch, "/blobs/uploads/")-before, 3-i; got != want {
			t.Errorf("push %d uploaded %d blobs, want %d", i, got, want)
		}
	}
}

func TestPush_RetriesTransientErrors(t *testing.T) {
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusBadGateway} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			o := startOrdinary(t)
			login(t, o.host, "s3cret")
			failed := 0
			o.trouble = func(r *http.Request) int {
				if r.Method == http.MethodPatch && failed == 0 {
					failed++
					return status
				}
				return 0
			}
			r := oci.New(oci.Config{RetryDelay: time.Millisecond})
			built := porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{}, []porttest.LayerEntry{{Name: "a"}})
			img := delivery.Image{Repository: o.host + "/a/b", Digest: built.Digest}
			if _, err := r.Push(t.Context(), built.Layout, img, "v1", nil); err != nil || failed != 1 {
				t.Errorf("Push after one response with %d = %v after %d failures, want nil after 1", status, err, failed)
			}
			if has, err := r.Has(t.Context(), img); err != nil || !has {
				t.Errorf("Has = %v, %v, want true", has, err)
			}
		})
	}
}

func TestPush_PersistentErrors(t *testing.T) {
	for status, want := range map[int]fault.Kind{500: fault.Unavailable, 503: fault.Unavailable, 403: fault.Denied, 507: fault.Exhausted} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			o := startOrdinary(t)
			login(t, o.host, "s3cret")
			o.trouble = func(r *http.Request) int {
				if r.Method == http.MethodPatch {
					return status
				}
				return 0
			}
			r := oci.New(oci.Config{RetryDelay: time.Millisecond})
			built := porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{}, []porttest.LayerEntry{{Name: "a"}})
			_, err := r.Push(t.Context(), built.Layout, delivery.Image{Repository: o.host + "/a/b", Digest: built.Digest}, "v1", nil)
			if !fault.Is(err, want) || fault.HintOf(err) == "" {
				t.Errorf("Push = %v (hint %q), want an error of kind %s with a hint", err, fault.HintOf(err), want)
			}
		})
	}
}

// TestPush_ReportsProgress stops an upload in the middle until the push has
// reported progress.
func TestPush_ReportsProgress(t *testing.T) {
	addr := serveOpenly(t, openEmbedded(t))
	moved := make(chan struct{})
	proxy := &httputil.ReverseProxy{ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: addr}) }}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch && r.ContentLength > 1<<20 {
			half, err := io.ReadAll(io.LimitReader(r.Body, r.ContentLength/2))
			if err != nil {
				t.Error(err)
			}
			select {
			case <-moved:
			case <-r.Context().Done():
			}
			r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(half), r.Body))
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	built := bigLayout(t, t.TempDir(), 32<<20)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var once sync.Once
	var last, whole int64
	watch := func(done, total int64) {
		if done < last {
			t.Errorf("progress goes back from %d to %d", last, done)
		}
		if last, whole = done, total; done > 8<<20 {
			once.Do(func() { close(moved) })
		}
	}
	img := delivery.Image{Repository: strings.TrimPrefix(srv.URL, "http://") + "/a/b", Digest: built.Digest}
	if _, err := oci.New(oci.Config{}).Push(ctx, built.Layout, img, "v1", watch); err != nil {
		t.Fatal(err)
	}
	if last != whole || whole < 32<<20 {
		t.Errorf("progress ended at %d of %d bytes, want all of at least 32 MiB", last, whole)
	}
}
