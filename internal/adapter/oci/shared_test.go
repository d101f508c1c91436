package oci_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/oci"
	"github.com/slipway-cd/slipway/internal/adapter/oci/embedded"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/ocilayout"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record/blobs"
)

// machine returns the registry of another machine, empty at first, that shares its
// content through the objects.
func machine(t *testing.T, objects port.ObjectStore) *oci.Registry {
	t.Helper()
	e := openEmbedded(t)
	return oci.New(oci.Config{
		Embedded: func() (*embedded.Registry, error) { return e, nil },
		Blobs:    &blobs.Store{Objects: objects}, Programs: twoArchs(), RetryDelay: time.Millisecond,
	})
}

func storeModel(t *testing.T, r *oci.Registry) (delivery.ModelRef, map[string]string) {
	t.Helper()
	files := map[string]string{"model.bin": strings.Repeat("weights", 1<<16), "metrics.json": "{}"}
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d, err := r.Store(t.Context(), "prices", dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return delivery.ModelRef{Group: "prices", Version: 1, Digest: d}, files
}

// TestShared_Model: a model that one machine registered is fetched and packed on another
// one, as the same image.
func TestShared_Model(t *testing.T) {
	objects := &fake.ObjectStore{}
	first, second := machine(t, objects), machine(t, objects)
	model, files := storeModel(t, first)
	dir := filepath.Join(t.TempDir(), "model")
	if err := second.Fetch(t.Context(), model, dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s has %d bytes (error = %v), want %d", name, len(got), err, len(want))
		}
	}
	packed, err := first.Pack(t.Context(), model, "mlops/retail-api")
	if err != nil {
		t.Fatal(err)
	}
	third := machine(t, objects)
	if again, err := third.Pack(t.Context(), model, "mlops/retail-api"); err != nil || again != packed {
		t.Errorf("packed as %v (error = %v), want %v", again, err, packed)
	}
	if err := machine(t, &fake.ObjectStore{}).Fetch(t.Context(), model, filepath.Join(t.TempDir(), "model")); !fault.Is(err, fault.NotFound) {
		t.Errorf("fetch where nothing was saved: error = %v, want %s", err, fault.NotFound)
	}
}

// TestShared_Image: what one machine pushed, another one has, unpacks and downloads.
func TestShared_Image(t *testing.T) {
	objects := &fake.ObjectStore{}
	first := machine(t, objects)
	built := porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{}, []porttest.LayerEntry{{Name: "a", Body: "of a"}}, []porttest.LayerEntry{{Name: "b", Body: "of b"}})
	img := delivery.Image{Repository: "mlops/retail-api", Digest: built.Digest}
	second := machine(t, objects)
	if has, err := second.Has(t.Context(), img); has || err != nil {
		t.Errorf("before the push: Has = %v, error = %v, want false", has, err)
	}
	if _, err := first.Push(t.Context(), built.Layout, img, "v1", nil); err != nil {
		t.Fatal(err)
	}
	if has, err := second.Has(t.Context(), img); !has || err != nil {
		t.Errorf("after the push: Has = %v, error = %v, want true", has, err)
	}
	root := filepath.Join(t.TempDir(), "root")
	if _, err := machine(t, objects).Unpack(t.Context(), img, root); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(root, "b")); err != nil || string(got) != "of b" {
		t.Errorf("b = %q (error = %v), want %q", got, err, "of b")
	}
	layout := filepath.Join(t.TempDir(), "layout")
	if err := machine(t, objects).Download(t.Context(), img, layout); err != nil || !ocilayout.Layout(layout).IsComplete(img.Digest) {
		t.Errorf("download: error = %v, want a complete layout", err)
	}
}

// TestShared_Damaged: a part that is not what was pushed is refused, and is stored anew
// by who has it.
func TestShared_Damaged(t *testing.T) {
	objects := &fake.ObjectStore{}
	first := machine(t, objects)
	model, files := storeModel(t, first)
	weights := blobs.Key(delivery.DigestOf([]byte(files["model.bin"])))
	objects.Change(weights, func(b []byte) []byte { b[7] ^= 1; return b })
	if err := machine(t, objects).Fetch(t.Context(), model, filepath.Join(t.TempDir(), "model")); err == nil || fault.Is(err, fault.NotFound) {
		t.Errorf("fetch a damaged model: error = %v, want that it is damaged", err)
	}
	if err := objects.Delete(t.Context(), weights); err != nil {
		t.Fatal(err)
	}
	if err := machine(t, objects).Fetch(t.Context(), model, filepath.Join(t.TempDir(), "model")); err == nil {
		t.Error("fetch a model without its weights: no error")
	}
	if again, _ := storeModel(t, first); again != model {
		t.Errorf("stored again as %v, want %v", again, model)
	}
	if err := machine(t, objects).Fetch(t.Context(), model, filepath.Join(t.TempDir(), "model")); err != nil {
		t.Errorf("fetch after it was stored again: %v", err)
	}
}

// TestShared_StoreAway: a model that other machines could not fetch is not stored.
func TestShared_StoreAway(t *testing.T) {
	var mu sync.Mutex
	objects := &fake.ObjectStore{Before: func(method, _ string) error {
		mu.Lock()
		defer mu.Unlock()
		return fault.New(fault.Denied, "no right to %s", method)
	}}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "model.bin"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := machine(t, objects).Store(t.Context(), "prices", dir, nil); !fault.Is(err, fault.Denied) {
		t.Errorf("store: error = %v, want %s", err, fault.Denied)
	}
}

// otherMachines are attestation stores that do each call on another machine.
type otherMachines struct {
	t       *testing.T
	objects port.ObjectStore
}

func (o otherMachines) Attach(ctx context.Context, s port.Subject, predicateType string, bundle []byte) (port.Attachment, error) {
	return machine(o.t, o.objects).Attach(ctx, s, predicateType, bundle)
}

func (o otherMachines) Attachments(ctx context.Context, s port.Subject) ([]port.Attachment, error) {
	return machine(o.t, o.objects).Attachments(ctx, s)
}

func (o otherMachines) Bundle(ctx context.Context, s port.Subject, a port.Attachment) ([]byte, error) {
	m := machine(o.t, o.objects)
	if _, err := m.Attachments(ctx, s); err != nil { // as everyone who reads one does
		return nil, err
	}
	return m.Bundle(ctx, s, a)
}

// TestAttestations_Shared: what one machine signed, others verify.
func TestAttestations_Shared(t *testing.T) {
	porttest.TestAttestationStore(t, func(t *testing.T) (port.AttestationStore, [2]port.Subject) {
		objects := &fake.ObjectStore{}
		r := machine(t, objects)
		subjects := pushed(t, r, "mlops/retail-api")
		model, _ := storeModel(t, r)
		subjects[1] = port.Subject{Model: model}
		return otherMachines{t, objects}, subjects
	})
}

// TestShared_Share: a model that was stored before the state was shared can be fetched on
// another machine once it was shared.
func TestShared_Share(t *testing.T) {
	e := openEmbedded(t)
	alone := oci.New(oci.Config{Embedded: func() (*embedded.Registry, error) { return e, nil }})
	model, _ := storeModel(t, alone)
	if err := alone.Share(t.Context(), model); err != nil {
		t.Errorf("without a shared state: %v", err)
	}
	objects := &fake.ObjectStore{}
	sharing := oci.New(oci.Config{Embedded: func() (*embedded.Registry, error) { return e, nil }, Blobs: &blobs.Store{Objects: objects}})
	other := machine(t, objects)
	if err := other.Share(t.Context(), model); !fault.Is(err, fault.NotFound) {
		t.Errorf("a machine without the model: error = %v, want %s", err, fault.NotFound)
	}
	if err := sharing.Share(t.Context(), model); err != nil {
		t.Fatal(err)
	}
	if err := other.Fetch(t.Context(), model, filepath.Join(t.TempDir(), "model")); err != nil {
		t.Errorf("fetch on another machine: %v", err)
	}
}
