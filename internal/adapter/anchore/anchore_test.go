package anchore

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/anchore/plant"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func TestScanner(t *testing.T) {
	full, none := scanner(t), New(Config{Dir: filepath.Join(t.TempDir(), "none")})
	porttest.TestScanner(t, func(_ *testing.T, w porttest.ScanWorld) port.Scanner {
		if w.Scene == porttest.SceneNoData {
			return none
		}
		return full
	})
}

func gapsOf(t *testing.T, s *Scanner, layers ...[]porttest.Entry) port.ScanReport {
	t.Helper()
	r, err := s.Scan(t.Context(), order(t, layers...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestGaps holds that what finds nothing because nobody could look is not passed.
func TestGaps(t *testing.T) {
	s := scanner(t)
	for name, c := range map[string]struct {
		layer []porttest.Entry
		says  string
	}{
		"a distribution that the database does not know": {[]porttest.Entry{osRelease("debian", "99"), {Name: "var/lib/dpkg/status", Body: dpkgStatus}}, "the database knows nothing of debian 99"},
		"a code name that the database does not know":    {[]porttest.Entry{{Name: "etc/os-release", Body: "ID=debian\nVERSION_ID=12\nVERSION_CODENAME=boxworm\n"}, {Name: "var/lib/dpkg/status", Body: dpkgStatus}}, "the database knows nothing of debian 12"},
		"a distribution that nobody knows":               {[]porttest.Entry{osRelease("homebrewn", "1"), {Name: "var/lib/dpkg/status", Body: dpkgStatus}}, "the distribution is unknown, so nobody can say whether its packages are vulnerable (2 deb)"},
		"a package database that was removed":            {[]porttest.Entry{osRelease("debian", "12"), wheel("harmless", "1")}, "which packages of it are there is not to be found"},
		"an rpm database that can't be read":             {[]porttest.Entry{osRelease("rhel", "9.4"), {Name: "var/lib/rpm/rpmdb.sqlite", Body: "SQLite format 3\x00" + strings.Repeat("x", 5000)}}, "/var/lib/rpm/rpmdb.sqlite could not be read"},
	} {
		t.Run(name, func(t *testing.T) {
			r := gapsOf(t, s, c.layer)
			said := ""
			for _, g := range r.Gaps {
				said += g.What + "\n"
			}
			if !strings.Contains(said, c.says) {
				t.Errorf("gaps %q, notes %q", said, r.Notes)
			}
		})
	}
}

// TestTheNextScanReadsTheImageNoMore holds that what is kept is used, and gives
// the same.
func TestTheNextScanReadsTheImageNoMore(t *testing.T) {
	s := scanner(t)
	o := order(t, debian(), []porttest.Entry{wheel("planted-wheel", "1.2.3")})
	o.Keep = t.TempDir()
	first, err := s.Scan(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(o.Keep, "packages-*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	kept, err := os.Stat(files[0])
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Scan(t.Context(), o)
	if err != nil || fmt.Sprintf("%+v", first) != fmt.Sprintf("%+v", second) {
		t.Errorf("%v\n%+v\n%+v", err, first, second)
	}
	if again, err := os.Stat(files[0]); err != nil || !again.ModTime().Equal(kept.ModTime()) {
		t.Error("the list was made again")
	}
	if err := os.WriteFile(files[0], []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if third, err := s.Scan(t.Context(), o); err != nil || len(third.Findings) != len(first.Findings) {
		t.Errorf("a damaged list: %+v, %v", third, err)
	}
}

func TestBillsOfAnImageAreTheSameEachTime(t *testing.T) {
	s := New(Config{Dir: t.TempDir()})
	o := order(t, debian(), []porttest.Entry{wheel("planted-wheel", "1.2.3"), goProgram(t), {Name: "app/package-lock.json", Body: npmLock}})
	var all []port.Bills
	for range 3 {
		b, err := s.BillImage(t.Context(), port.ImageBill{Layout: o.Layout, Image: o.Image, Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	dir := filepath.Dir(all[0].SPDX.Path)
	b, err := s.BillImage(t.Context(), port.ImageBill{Layout: o.Layout, Image: o.Image, Dir: dir}) // from what is kept
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range append(all, b) {
		if other.CycloneDX.Digest != all[0].CycloneDX.Digest || other.SPDX.Digest != all[0].SPDX.Digest {
			t.Errorf("%+v\n%+v", all[0], other)
		}
	}
	for _, d := range []port.Document{b.CycloneDX, b.SPDX} {
		raw, err := os.ReadFile(d.Path)
		if err != nil || fmt.Sprintf("sha256:%x", sha256.Sum256(raw)) != string(d.Digest) || int64(len(raw)) != d.Size {
			t.Errorf("%+v, %v", d, err)
		}
		for _, want := range []string{"libplanted", "planted-wheel", "planted-npm", "github.com/spf13/cobra", "mlops/retail-api"} {
			if !strings.Contains(string(raw), want) {
				t.Errorf("%s does not name %s", d.Path, want)
			}
		}
		for _, no := range []string{os.TempDir() + "/", "urn:uuid", time.Now().UTC().Format("2006-01-02T15")} {
			if strings.Contains(string(raw), no) {
				t.Errorf("%s holds %q", d.Path, no)
			}
		}
	}
}

func TestBillsOfAModel(t *testing.T) {
	s := New(Config{Dir: t.TempDir()})
	files := t.TempDir()
	for name, text := range map[string]string{"model.onnx": "weights", "meta/labels.json": "[]"} {
		path := filepath.Join(files, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	order := port.ModelBill{Files: files, Model: delivery.ModelRef{Group: "retail", Version: 3, Digest: digest("m")}, Data: digest("d")}
	bill := func() port.Bills {
		order.Dir = t.TempDir()
		b, err := s.BillModel(t.Context(), order)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first, second := bill(), bill()
	if first.CycloneDX.Digest != second.CycloneDX.Digest || first.SPDX.Digest != second.SPDX.Digest {
		t.Errorf("%+v\n%+v", first, second)
	}
	raw, err := os.ReadFile(first.CycloneDX.Path)
	var doc struct {
		BOMFormat string
		Metadata  struct {
			Component struct{ Type, Name, Version string }
		}
		Components []struct {
			Name   string
			Hashes []struct{ Alg, Content string }
		}
	}
	if err = errors.Join(err, json.Unmarshal(raw, &doc)); err != nil {
		t.Fatal(err)
	}
	c := doc.Metadata.Component
	if doc.BOMFormat != "CycloneDX" || c.Type != "machine-learning-model" || c.Name != "retail" || c.Version != "3" || len(doc.Components) != 2 || doc.Components[0].Name != "meta/labels.json" {
		t.Errorf("%s", raw)
	}
	if got := doc.Components[1].Hashes[0].Content; got != digest("weights").Hex() {
		t.Error(got)
	}
	if err := os.WriteFile(filepath.Join(files, "model.onnx"), []byte("others"), 0o600); err != nil {
		t.Fatal(err)
	}
	if third := bill(); third.SPDX.Digest == first.SPDX.Digest {
		t.Error("other files, and the same bill")
	}
	order.Files = t.TempDir()
	if _, err := s.BillModel(t.Context(), order); !fault.Is(err, fault.NotFound) {
		t.Errorf("no files: %v", err)
	}
}

func digest(text string) delivery.Digest {
	return delivery.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))))
}

func TestImportOfWhatIsNone(t *testing.T) {
	s := scanner(t)
	before, err := s.Status(t.Context())
	if err != nil || before.Built.IsZero() || before.From != "manual import" {
		t.Fatalf("%+v, %v", before, err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"vulnerability.db": "no database", "archive.tar.gz": "no archive", "notes.txt": "x"} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Import(t.Context(), file); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, file := range []string{filepath.Join(dir, "missing.db"), dir} {
		if _, err := s.Import(t.Context(), file); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", file, err)
		}
	}
	if after, err := s.Status(t.Context()); err != nil || after != before {
		t.Errorf("%+v, %v", after, err)
	}
	left, err := filepath.Glob(filepath.Join(s.c.Dir, ".incoming-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestADamagedDatabaseIsNoDatabase(t *testing.T) {
	s := scanner(t)
	d, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(d.Path)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 0xff
	if err := os.WriteFile(d.Path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Status(t.Context()); !fault.Is(err, fault.Corrupt) {
		t.Errorf("status: %v", err)
	}
	if r, err := s.Scan(t.Context(), order(t, debian())); !fault.Is(err, fault.Unavailable) {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestUpdate downloads from a server as grype's is laid out.
func TestUpdate(t *testing.T) {
	var broken atomic.Bool
	archive, built := published(t)
	mux := http.NewServeMux()
	mux.HandleFunc("/databases/v6/latest.json", func(w http.ResponseWriter, _ *http.Request) {
		sum := sha256.Sum256(archive)
		if broken.Load() {
			sum[0]++
		}
		fmt.Fprintf(w, `{"status": "active", "schemaVersion": "v6.1.0", "built": %q, "path": "db.tar.gz", "checksum": "sha256:%x"}`, built.Format(time.RFC3339), sum)
	})
	mux.HandleFunc("/databases/v6/db.tar.gz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(archive) })
	server := httptest.NewServer(mux)
	defer server.Close()
	now := time.Now().UTC().Truncate(time.Second)
	s := New(Config{Dir: filepath.Join(t.TempDir(), "db"), URL: server.URL + "/databases", Clock: func() time.Time { return now }})

	broken.Store(true)
	if d, changed, err := s.Update(t.Context(), nil); !fault.Is(err, fault.Unavailable) || changed || !d.Built.IsZero() {
		t.Errorf("another checksum: %+v, %v, %v", d, changed, err)
	}
	broken.Store(false)
	d, changed, err := s.Update(t.Context(), func(int64, int64) {})
	if err != nil || !changed || !d.Built.Equal(built) || !d.Asked.Equal(now) || !strings.HasPrefix(d.From, server.URL) {
		t.Fatalf("%+v, %v, %v", d, changed, err)
	}
	if r := gapsOf(t, s, debian()); len(r.Findings) != 1 {
		t.Errorf("%+v", r)
	}
	if d, changed, err := s.Update(t.Context(), nil); err != nil || changed || !d.Built.Equal(built) {
		t.Errorf("the newest is there: %+v, %v, %v", d, changed, err)
	}
	server.Close()
	if d, changed, err := s.Update(t.Context(), nil); !fault.Is(err, fault.Unavailable) || changed || d.Built.IsZero() {
		t.Errorf("nobody answers: %+v, %v, %v", d, changed, err)
	}
	if r := gapsOf(t, s, debian()); len(r.Findings) != 1 {
		t.Errorf("what was there has gone: %+v", r)
	}
}

func TestUpdateEndsWithItsContext(t *testing.T) {
	held := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-held:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(held)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := New(Config{Dir: t.TempDir(), URL: server.URL})
	if _, _, err := s.Update(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// published is the planted database as an archive, and when it was made.
func published(t *testing.T) ([]byte, time.Time) {
	t.Helper()
	file, err := plant.Write(t.TempDir(), planted())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	err = w.WriteHeader(&tar.Header{Name: "vulnerability.db", Mode: 0o644, Size: int64(len(raw))})
	if err == nil {
		_, err = w.Write(raw)
	}
	if err = errors.Join(err, w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	s := New(Config{Dir: filepath.Join(t.TempDir(), "db")})
	d, err := s.Import(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), d.Built
}
