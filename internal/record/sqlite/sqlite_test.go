package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/record/storetest"
	"github.com/slipway-cd/slipway/internal/release"
)

func TestStore(t *testing.T) {
	var mu sync.Mutex
	homes := map[string]string{}
	storetest.TestStore(t, func(t *testing.T) record.Store {
		mu.Lock()
		defer mu.Unlock()
		if homes[t.Name()] == "" {
			homes[t.Name()] = t.TempDir()
		}
		return open(t, filepath.Join(homes[t.Name()], "slipway.db"))
	})
}

func open(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	return openProject(t, path, "retail")
}

func openProject(t *testing.T, path string, project delivery.Project) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, project, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fresh(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state", "slipway.db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func raw(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(statement)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestStore_OfAnotherProject: the same file, seen by another project, is as empty as
// a new one, even for the same names; and what it keeps is not seen by the first.
func TestStore_OfAnotherProject(t *testing.T) {
	storetest.TestProjects(t, func(t *testing.T) func(delivery.Project) record.Store {
		path := filepath.Join(t.TempDir(), "slipway.db")
		return func(p delivery.Project) record.Store { return openProject(t, path, p) }
	})
}

// TestApprovals_OfAnotherProject holds the suite against a file that another project
// has filled.
func TestApprovals_OfAnotherProject(t *testing.T) {
	porttest.TestApprovals(t, func(t *testing.T) func() port.ApprovalStore {
		path := filepath.Join(t.TempDir(), "slipway.db")
		fill := openProject(t, path, "other")
		a := port.Approval{Run: "20261124-101502-0001", Subject: port.ApproveDeploy, By: delivery.Actor{Name: "ana"}}
		if err := errors.Join(fill.Approvals().Record(t.Context(), a), fill.Close()); err != nil {
			t.Fatal(err)
		}
		return func() port.ApprovalStore {
			s := open(t, path)
			t.Cleanup(func() { s.Close() })
			return s.Approvals()
		}
	})
}

func TestOpen_Refuses(t *testing.T) {
	cases := []struct {
		name    string
		prepare func(t *testing.T, path string)
		kind    fault.Kind
		says    string
	}{
		{"a newer version", func(t *testing.T, path string) { raw(t, path, "PRAGMA user_version = 99") }, fault.Conflict, "update slipway"},
		{"another program's database", func(t *testing.T, path string) { raw(t, path, "PRAGMA application_id = 7") }, fault.Corrupt, "move it away"},
		{"garbage", func(t *testing.T, path string) {
			write(t, path, strings.Repeat("this is not a database. ", 1000))
		}, fault.Corrupt, "move it away"},
		{"a short file", func(t *testing.T, path string) { write(t, path, "x") }, fault.Corrupt, "move it away"},
		{"an emptied file", func(t *testing.T, path string) { write(t, path, "") }, fault.Corrupt, "restore"},
		{"a lost file with its log", func(t *testing.T, path string) {
			if err := os.Rename(path, path+"-wal"); err != nil {
				t.Fatal(err)
			}
		}, fault.Corrupt, "restore"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := fresh(t)
			c.prepare(t, path)
			before := content(t, path)
			_, err := sqlite.Open(t.Context(), path, "retail", time.Now)
			if !fault.Is(err, c.kind) {
				t.Fatalf("Open: %v (%s), want %s", err, fault.KindOf(err), c.kind)
			}
			if !strings.Contains(fault.HintOf(err), c.says) || !strings.Contains(err.Error(), path) {
				t.Errorf("%v\nhint: %s\nwant the file's name, and a hint with %q", err, fault.HintOf(err), c.says)
			}
			if content(t, path) != before {
				t.Error("the file was touched")
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(b)
}

func TestStore_FindsChangedRecords(t *testing.T) {
	path := fresh(t)
	s := open(t, path)
	saved, err := s.Releases().Save(t.Context(), delivery.Release{Schema: delivery.ReleaseForm, Service: "retail"}, delivery.Origin{Run: "20261124-101502-k3f9"})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	raw(t, path, "UPDATE releases SET canonical = replace(canonical, 'retail', 'r3tail')")
	s = open(t, path)
	defer s.Close()
	for name, ask := range map[string]func() error{
		"Release": func() error { _, err := s.Releases().Get(t.Context(), saved.ID); return err },
		"Releases": func() error {
			_, _, err := s.Releases().List(t.Context(), port.ReleaseFilter{}, port.Page{})
			return err
		},
		"SaveRelease": func() error { _, err := s.Releases().Save(t.Context(), saved.Release, delivery.Origin{}); return err },
	} {
		if err := ask(); !fault.Is(err, fault.Corrupt) {
			t.Errorf("%s of a changed record: %v, want fault.Corrupt", name, err)
		}
	}
}

func TestStore_DamagedPages(t *testing.T) {
	path := fresh(t)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte(strings.Repeat("\xff", 8192)), 100)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), path, "retail", time.Now)
	if err == nil {
		_, _, err = s.Runs().List(t.Context(), "", port.Page{})
		s.Close()
	}
	if !fault.Is(err, fault.Corrupt) {
		t.Errorf("a database with overwritten pages: %v, want fault.Corrupt", err)
	}
}

func TestOpen_Concurrently(t *testing.T) {
	path := filepath.Join(t.TempDir(), "slipway.db")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := sqlite.Open(context.WithoutCancel(t.Context()), path, "retail", nil)
			if err != nil {
				t.Errorf("Open: %v", err)
				return
			}
			if err := s.Outbox().Post(context.WithoutCancel(t.Context()), "x", message()); err != nil {
				t.Errorf("Post: %v", err)
			}
			s.Close()
		})
	}
	wg.Wait()
	s := open(t, path)
	defer s.Close()
	if due, err := s.Outbox().Due(t.Context(), time.Now(), 0); err != nil || len(due) != 1 {
		t.Errorf("%d messages, %v: want the one that all posted", len(due), err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".new-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestStore_FullDisk(t *testing.T) {
	if !storetest.InSubprocess(t) {
		return
	}
	path := fresh(t)
	s := open(t, path)
	defer s.Close()
	err := limitedFiles(t, 64<<10, func() (err error) {
		for i := 0; err == nil && i < 100; i++ {
			m := message()
			m.ID, m.Text = strings.Repeat("m", i+1), strings.Repeat("text ", 2000)
			err = s.Outbox().Post(t.Context(), "x", m)
		}
		return err
	})
	if !fault.Is(err, fault.Exhausted) || fault.HintOf(err) == "" {
		t.Fatalf("no room: %v (%s), want fault.Exhausted with a hint", err, fault.KindOf(err))
	}
	if err := s.Outbox().Post(t.Context(), "later", message()); err != nil {
		t.Errorf("once there is room again: %v", err)
	}
}

// limitedFiles calls do while no file of this process can grow beyond size bytes.
func limitedFiles(t *testing.T, size uint64, do func() error) error {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	small := old
	small.Cur = size
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small); err != nil {
		t.Fatal(err)
	}
	err := do()
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	return err
}

func TestOpen_ReadOnly(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write to read-only files")
	}
	path := fresh(t)
	if err := os.Chmod(path, 0o444); err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), path, "retail", time.Now)
	if err == nil {
		err = s.Outbox().Post(t.Context(), "x", message())
		s.Close()
	}
	if !fault.Is(err, fault.Denied) {
		t.Errorf("read-only file: %v, want fault.Denied", err)
	}
}

// freshStore returns a function that opens one kind of the records in the same file
// again and again.
func freshStore[S any](of func(*sqlite.Store) S) func(t *testing.T) func() S {
	return func(t *testing.T) func() S {
		path := filepath.Join(t.TempDir(), "slipway.db")
		return func() S {
			s := open(t, path)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			return of(s)
		}
	}
}

func TestModels(t *testing.T) {
	porttest.TestModels(t, freshStore((*sqlite.Store).Models))
	porttest.TestModelImporter(t, freshStore((*sqlite.Store).Models))
}

func TestReleases(t *testing.T) { porttest.TestReleases(t, freshStore((*sqlite.Store).Releases)) }

func TestDeployments(t *testing.T) {
	porttest.TestDeployments(t, freshStore((*sqlite.Store).Deployments))
}

func TestApprovals(t *testing.T) { porttest.TestApprovals(t, freshStore((*sqlite.Store).Approvals)) }

// TestReleases_NamedByCanonicalDigest: the name of a release is that of its
// canonical JSON, before and after it was stored.
func TestReleases_NamedByCanonicalDigest(t *testing.T) {
	s := open(t, fresh(t))
	defer s.Close()
	saved, err := s.Releases().Save(t.Context(), delivery.Release{Schema: delivery.ReleaseForm, Service: "retail"}, delivery.Origin{Run: "20261124-101502-k3f9"})
	if err != nil {
		t.Fatal(err)
	}
	_, digest, id, err := release.Canonical(saved.Release)
	if err != nil || saved.ID != id || saved.Digest != digest {
		t.Errorf("saved as %s (%s), want %s (%s), %v", saved.ID, saved.Digest, id, digest, err)
	}
}

// TestStore_KeepsEverythingAcrossClose: what was recorded is there when the file is
// opened again.
func TestStore_KeepsEverythingAcrossClose(t *testing.T) {
	path := fresh(t)
	s := open(t, path)
	rel, err := s.Releases().Save(t.Context(), delivery.Release{Schema: delivery.ReleaseForm, Service: "retail"}, delivery.Origin{Run: "20261124-101502-k3f9"})
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Deployments().Begin(t.Context(), delivery.Deployment{Environment: "prod", Release: rel.ID, Run: rel.Run})
	if err != nil {
		t.Fatal(err)
	}
	q := delivery.Quarantine{Release: rel.ID, Environment: "prod", Reason: "x"}
	if err := errors.Join(s.Deployments().Accept(t.Context(), d.ID, time.Now()), s.Releases().Quarantine(t.Context(), q), s.Close()); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	defer s.Close()
	if current, ok, err := s.Deployments().Current(t.Context(), "prod"); err != nil || !ok || current.ID != d.ID {
		t.Errorf("current deployment after reopening: %+v, %v", current, err)
	}
	if again, err := s.Releases().Get(t.Context(), rel.ID); err != nil || again.Quarantined == nil {
		t.Errorf("release after reopening: %+v, %v; want it quarantined", again, err)
	}
}
