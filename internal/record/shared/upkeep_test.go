package shared_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record/blobs"
	"github.com/slipway-cd/slipway/internal/record/shared"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

// place is a shared state whose clock the test moves.
type place struct {
	*shared.State
	objects *fake.ObjectStore
	blobs   *blobs.Store
	now     time.Time
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{objects: &fake.ObjectStore{}, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	p.objects.Clock = func() time.Time { return p.now }
	p.blobs = &blobs.Store{Objects: p.objects, Clock: p.objects.Clock}
	s, err := shared.Open(t.Context(), "memory", p.objects, false, p.now)
	if err != nil {
		t.Fatal(err)
	}
	p.State = s
	return p
}

// save keeps text as a blob.
func (p *place) save(t *testing.T, text string) delivery.Digest {
	t.Helper()
	d := delivery.DigestOf([]byte(text))
	open := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
	if err := p.blobs.Put(t.Context(), d, int64(len(text)), open); err != nil {
		t.Fatal(err)
	}
	return d
}

func (p *place) put(t *testing.T, key string) {
	t.Helper()
	if err := p.objects.Put(t.Context(), key, bytes.NewReader([]byte("log"))); err != nil {
		t.Fatal(err)
	}
}

// left returns which of the blobs are there.
func (p *place) left(t *testing.T, of map[string]delivery.Digest) (names []string) {
	t.Helper()
	for name, d := range of {
		r, _, err := p.objects.Open(t.Context(), blobs.Key(d))
		if err == nil {
			r.Close()
			names = append(names, name)
		} else if !fault.Is(err, fault.NotFound) {
			t.Fatal(err)
		}
	}
	slices.Sort(names)
	return names
}

// TestState_PruneContent: what is named stays, however old, with all that it names; what
// is young stays; the rest goes.
func TestState_PruneContent(t *testing.T) {
	p := newPlace(t)
	const age = 2 * statelog.MinRetention
	layer := p.save(t, "a layer")
	config := p.save(t, `{"architecture":"amd64"}`)
	padding := strings.Repeat(" ", 9<<20) // of a list of very many files
	manifest := p.save(t, fmt.Sprintf(`{%s"config":{"digest":"%s"},"layers":[{"digest":"%s"}]}`, padding, config, layer))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "model.bin"), []byte("of the model"), 0o644); err != nil {
		t.Fatal(err)
	}
	folder, err := p.blobs.Save(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]delivery.Digest{
		"manifest": manifest, "config": config, "layer": layer,
		"folder": folder.Digest, "file": delivery.DigestOf([]byte("of the model")),
		"unnamed": p.save(t, "nothing names this"), "again": p.save(t, "saved again"),
		// What a text names is no reason to keep something.
		"text": p.save(t, "not a document: "+string(delivery.DigestOf([]byte("nothing names this")))),
	}
	all["signature layer"] = p.save(t, "a signature")
	all["signature"] = p.save(t, fmt.Sprintf(`{"layers":[{"digest":"%s"}]}`, all["signature layer"]))
	if err := p.blobs.AddTo(t.Context(), "of a manifest", all["signature"]); err != nil {
		t.Fatal(err)
	}
	p.put(t, "runs/retail/20260101-000000-aaaa/1/events.jsonl.gz")
	p.now = p.now.Add(age - time.Hour)
	p.put(t, "runs/retail/20260301-000000-aaaa/1/events.jsonl.gz")
	all["young"] = p.save(t, "young")
	p.save(t, "saved again")
	p.now = p.now.Add(2 * time.Hour)
	named := func() map[delivery.Digest]bool {
		return map[delivery.Digest]bool{manifest: true, folder.Digest: true, all["text"]: true, delivery.DigestOf([]byte("elsewhere")): true}
	}
	would, err := p.PruneContent(t.Context(), age, named(), true)
	if left := p.left(t, all); err != nil || len(left) != len(all) {
		t.Errorf("after a dry run %q are left (error = %v), want all", left, err)
	}
	got, err := p.PruneContent(t.Context(), age, named(), false)
	if err != nil || got.Blobs.Objects != 1 || got.Logs.Objects != 1 || got != would {
		t.Errorf("pruned %+v (error = %v), dry run: %+v, want one blob and one log", got, err, would)
	}
	want := []string{"again", "config", "file", "folder", "layer", "manifest", "signature", "signature layer", "text", "young"}
	if left := p.left(t, all); !slices.Equal(left, want) {
		t.Errorf("left = %q, want %q", left, want)
	}
	if _, err := p.PruneContent(t.Context(), statelog.MinRetention-1, named(), false); !fault.Is(err, fault.Invalid) {
		t.Errorf("a shorter retention: error = %v, want %s", err, fault.Invalid)
	}
}

func TestState_VerifyBlobs(t *testing.T) {
	p := newPlace(t)
	for i := range 20 {
		p.save(t, fmt.Sprint("content ", i))
	}
	damaged := p.save(t, "content")
	p.objects.Change(blobs.Key(damaged), func(b []byte) []byte { b[0] ^= 1; return b })
	p.put(t, blobs.Prefix+"no-digest")
	reported := 0
	sound, problems, err := p.VerifyBlobs(t.Context(), func(done int) { reported = done })
	if err != nil || sound.Objects != 20 || len(problems) != 2 || reported != 22 {
		t.Errorf("%d sound blobs, %d read, problems = %v (error = %v), want 20, 22 and 2", sound.Objects, reported, problems, err)
	}
	for _, problem := range problems {
		if !fault.Is(problem, fault.Corrupt) || fault.HintOf(problem) == "" {
			t.Errorf("problem = %v, want %s with a hint", problem, fault.Corrupt)
		}
	}
	p.objects.Before = func(method, key string) error {
		if method == "Open" && key == blobs.Key(damaged) {
			return fault.New(fault.Denied, "forbidden")
		}
		return nil
	}
	if _, _, err := p.VerifyBlobs(t.Context(), func(int) {}); !fault.Is(err, fault.Denied) {
		t.Errorf("a store that denies it: error = %v, want %s", err, fault.Denied)
	}
}

func TestState_Usage(t *testing.T) {
	p := newPlace(t)
	if u, err := p.Usage(t.Context()); err != nil || u.First != 0 || u.Last != 0 || u.Entries.Objects != 0 {
		t.Errorf("usage of an empty state = %+v (error = %v)", u, err)
	}
	var at statelog.Position
	var err error
	for range 3 {
		p.now = p.now.Add(time.Minute)
		if at, err = p.Log.Append(t.Context(), at, statelog.Entry{Schema: 3, Rows: []byte(`[]`)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Log.SaveSnapshot(t.Context(), statelog.Snapshot{After: at, Schema: 3}, strings.NewReader("rows")); err != nil {
		t.Fatal(err)
	}
	p.save(t, "blob")
	p.put(t, "runs/retail/20260101-000000-aaaa/1/events.jsonl.gz")
	added := p.now
	p.now = p.now.Add(time.Hour)
	u, err := p.Usage(t.Context())
	if err != nil || u.First != 1 || u.Last != 3 || u.Entries.Objects != 3 || u.Snapshots.Objects != 1 || u.Blobs != (statelog.Count{Objects: 1, Bytes: 4}) || u.Logs.Objects != 1 ||
		!u.NewestAt.Equal(added) || !u.Now.Equal(p.now) {
		t.Errorf("usage = %+v (error = %v)", u, err)
	}
}
