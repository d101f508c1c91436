package oci_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/oci/embedded"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// TestPack_CorruptBlob changes or removes stored bytes before they are packed.
func TestPack_CorruptBlob(t *testing.T) {
	content := strings.Repeat("w", 99999)
	cases := map[string]func(blob string) error{
		"changed": func(blob string) error { return os.WriteFile(blob, []byte("W"+content[1:]), 0o644) },
		"cut off": func(blob string) error { return os.Truncate(blob, 5) },
		"removed": os.Remove,
	}
	for name, damage := range cases {
		t.Run(name, func(t *testing.T) {
			registry := t.TempDir()
			e, err := embedded.Open(registry)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			r := packer(e, twoArchs())
			m := model(t, r, content)
			blobs, err := filepath.Glob(filepath.Join(registry, "docker/registry/v2/blobs/sha256/*/*/data"))
			if err != nil {
				t.Fatal(err)
			}
			done := 0
			for _, blob := range blobs {
				if info, err := os.Stat(blob); err == nil && info.Size() == int64(len(content)) {
					done++
					if err := damage(blob); err != nil {
						t.Fatal(err)
					}
				}
			}
			if done != 1 {
				t.Fatalf("%d blobs are the model's file", done)
			}
			_, err = r.Pack(t.Context(), m, "a/b")
			if !fault.Is(err, fault.Corrupt) || !strings.Contains(err.Error(), "model.json") {
				t.Errorf("Pack = %v, want corrupt, naming the file", err)
			}
		})
	}
}

// TestPack_BoundedMemory packs a model that is bigger than what may be in memory.
func TestPack_BoundedMemory(t *testing.T) {
	const size = 200 << 20
	built := bigLayout(t, t.TempDir(), size)
	dir := t.TempDir()
	layers, err := filepath.Glob(filepath.Join(built.Layout, "blobs/sha256/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		if info, err := os.Stat(l); err == nil && info.Size() > size {
			err = errors.Join(err, os.Rename(l, filepath.Join(dir, "weights.bin")))
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	r := packer(openEmbedded(t), twoArchs())
	d, err := r.Store(t.Context(), "big", dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	var peak atomic.Uint64
	over := make(chan struct{})
	start := time.Now()
	go func() {
		defer close(over)
		if _, err := r.Pack(t.Context(), delivery.ModelRef{Group: "big", Version: 1, Digest: d}, "a/b"); err != nil {
			t.Error(err)
		}
	}()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case <-over:
			t.Logf("packed %d MB in %v, at most %d MB of heap", size>>20, time.Since(start), peak.Load()>>20)
			if peak.Load() == 0 || peak.Load() > 80<<20 {
				t.Errorf("%d MB of heap in use", peak.Load()>>20)
			}
			return
		case <-tick.C:
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapInuse))
		}
	}
}

// TestPack_RegistryErrors is a registry that refuses, and then does not.
func TestPack_RegistryErrors(t *testing.T) {
	for status, want := range map[int]fault.Kind{403: fault.Denied, 503: fault.Unavailable, 507: fault.Exhausted} {
		o := startOrdinary(t)
		login(t, o.host, "s3cret")
		r := packer(openEmbedded(t), twoArchs())
		m := model(t, r, "{}")
		o.trouble = func(req *http.Request) int {
			if req.Method == http.MethodPatch {
				return status
			}
			return 0
		}
		_, err := r.Pack(t.Context(), m, o.host+"/a/b")
		if !fault.Is(err, want) || fault.HintOf(err) == "" || !strings.Contains(err.Error(), m.String()) {
			t.Errorf("%d: %v (hint %q), want %s with the model and a hint", status, err, fault.HintOf(err), want)
		}
		o.mu.Lock()
		o.trouble = nil
		o.mu.Unlock()
		img, err := r.Pack(t.Context(), m, o.host+"/a/b")
		if err != nil {
			t.Fatal(err)
		}
		if has, err := r.Has(t.Context(), img); err != nil || !has {
			t.Errorf("Has = %v, %v, want true", has, err)
		}
	}
}
