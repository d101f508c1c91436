package runfiles_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/slipway-cd/slipway/internal/adapter/objectfolder"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/runfiles"
)

const run = "20261124-101502-aaaa"

func TestStore(t *testing.T) {
	for name, objects := range map[string]port.ObjectStore{"fake": &fake.ObjectStore{}, "folder": objectfolder.Store{Dir: t.TempDir()}} {
		t.Run(name, func(t *testing.T) {
			s, other := runfiles.Store{Objects: objects, Project: "retail"}, runfiles.Store{Objects: objects, Project: "retail-2"}
			files := []record.RunFile{
				{Run: run, Epoch: 2, Name: "events.jsonl"}, {Run: run, Epoch: 2, Name: "test.unit.log"},
				{Run: run, Epoch: 10, Name: "events.jsonl"},
			}
			text := strings.Repeat("a line\n", 100_000)
			for i := len(files) - 1; i >= 0; i-- {
				for _, content := range []string{"before", text} {
					if err := s.Save(t.Context(), files[i], strings.NewReader(content)); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := other.Save(t.Context(), files[0], strings.NewReader("other")); err != nil {
				t.Fatal(err)
			}
			got, err := s.List(t.Context(), run)
			if diff := cmp.Diff(files, got, cmpopts.IgnoreFields(record.RunFile{}, "Saved", "Size")); diff != "" || err != nil {
				t.Fatalf("files (error = %v) (-want +got):\n%s", err, diff)
			}
			for _, f := range got {
				r, err := s.Open(t.Context(), f)
				if err != nil {
					t.Fatal(err)
				}
				raw, err := io.ReadAll(r)
				if string(raw) != text || err != nil || f.Size == 0 || f.Size > int64(len(text))/10 || f.Saved.IsZero() {
					t.Errorf("%s has %d bytes (error = %v), stored as %+v, want %d, packed", f.Name, len(raw), err, f, len(text))
				}
				r.Close()
			}
			if none, err := s.List(t.Context(), "20261124-101502-bbbb"); len(none) > 0 || err != nil {
				t.Errorf("files of another run = %v (error = %v), want none", none, err)
			}
			if _, err := s.Open(t.Context(), record.RunFile{Run: run, Epoch: 3, Name: "events.jsonl"}); !fault.Is(err, fault.NotFound) {
				t.Errorf("open a missing file: error = %v, want %s", err, fault.NotFound)
			}
		})
	}
}

func TestStore_Refuses(t *testing.T) {
	objects := &fake.ObjectStore{}
	s := runfiles.Store{Objects: objects, Project: "retail"}
	for _, f := range []record.RunFile{
		{Run: "../x", Epoch: 1, Name: "events.jsonl"}, {Run: run, Epoch: 0, Name: "events.jsonl"}, {Run: run, Epoch: 1, Name: "../events.jsonl"},
		{Run: run, Epoch: 1, Name: ""}, {Run: run, Epoch: 1, Name: ".."}, {Run: run, Epoch: 1, Name: "a b"},
	} {
		if err := s.Save(t.Context(), f, strings.NewReader("")); !fault.Is(err, fault.Invalid) {
			t.Errorf("save %+v: error = %v, want %s", f, err, fault.Invalid)
		}
	}
	broken := errors.New("the disk is broken")
	good := record.RunFile{Run: run, Epoch: 1, Name: "events.jsonl"}
	if err := s.Save(t.Context(), good, iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("save what can't be read: error = %v, want %v", err, broken)
	}
	for _, key := range []string{"runs/retail/" + run + "/1/events.jsonl", "runs/retail/" + run + "/x/events.jsonl.gz", "runs/retail/" + run + "/events.jsonl.gz", "runs/retail/" + run + "/1/.gz"} {
		if err := objects.Create(t.Context(), key, []byte("?")); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.List(t.Context(), run); len(got) > 0 || err != nil {
		t.Errorf("files = %v (error = %v), want none: these are not Slipway's", got, err)
	}
	if err := objects.Create(t.Context(), s.Key(good), []byte("not gzip")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), good); !fault.Is(err, fault.Corrupt) {
		t.Errorf("open what is not packed: error = %v, want %s", err, fault.Corrupt)
	}
}
