package anchore

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func TestImageSBOM_IsReproducible(t *testing.T) {
	s := New(Config{Dir: t.TempDir()})
	o := scanRequest(t, debian(), []porttest.LayerEntry{wheel("planted-wheel", "1.2.3"), goProgram(t), {Name: "app/package-lock.json", Body: npmLock}})
	var all []port.SBOMs
	for range 3 {
		b, err := s.ImageSBOM(t.Context(), port.ImageSBOMRequest{Layout: o.Layout, Image: o.Image, Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	dir := filepath.Dir(all[0].SPDX.Path)
	b, err := s.ImageSBOM(t.Context(), port.ImageSBOMRequest{Layout: o.Layout, Image: o.Image, Dir: dir}) // from the cached list of packages
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range append(all, b) {
		if got, want := other.CycloneDX.Digest, all[0].CycloneDX.Digest; got != want {
			t.Errorf("digest of another CycloneDX document = %s, want %s", got, want)
		}
		if got, want := other.SPDX.Digest, all[0].SPDX.Digest; got != want {
			t.Errorf("digest of another SPDX document = %s, want %s", got, want)
		}
	}
	for _, d := range []port.Document{b.CycloneDX, b.SPDX} {
		raw, err := os.ReadFile(d.Path)
		if err != nil {
			t.Fatal(err)
		}
		if want := digest(string(raw)); d.Digest != want {
			t.Errorf("digest of %s = %s, want %s", d.Path, d.Digest, want)
		}
		if want := int64(len(raw)); d.Size != want {
			t.Errorf("size of %s = %d, want %d", d.Path, d.Size, want)
		}
		for _, want := range []string{"libplanted", "planted-wheel", "planted-npm", "github.com/spf13/cobra", "mlops/retail-api"} {
			if !strings.Contains(string(raw), want) {
				t.Errorf("%s does not contain %q", d.Path, want)
			}
		}
		for _, no := range []string{os.TempDir() + "/", "urn:uuid", time.Now().UTC().Format("2006-01-02T15")} {
			if strings.Contains(string(raw), no) {
				t.Errorf("%s contains %q", d.Path, no)
			}
		}
	}
}

func TestModelSBOM(t *testing.T) {
	s := New(Config{Dir: t.TempDir()})
	files := t.TempDir()
	for name, text := range map[string]string{"model.onnx": "weights", "meta/labels.json": "[]"} {
		path := filepath.Join(files, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	request := port.ModelSBOMRequest{Files: files, Model: delivery.ModelRef{Group: "retail", Version: 3, Digest: digest("m")}, Data: digest("d")}
	generate := func() port.SBOMs {
		request.Dir = t.TempDir()
		b, err := s.ModelSBOM(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first, second := generate(), generate()
	if got, want := second.CycloneDX.Digest, first.CycloneDX.Digest; got != want {
		t.Errorf("digest of the second CycloneDX document = %s, want %s", got, want)
	}
	if got, want := second.SPDX.Digest, first.SPDX.Digest; got != want {
		t.Errorf("digest of the second SPDX document = %s, want %s", got, want)
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
	if doc.BOMFormat != "CycloneDX" {
		t.Errorf("format = %q, want CycloneDX", doc.BOMFormat)
	}
	subject := struct{ Type, Name, Version string }{"machine-learning-model", "retail", "3"}
	if diff := cmp.Diff(subject, doc.Metadata.Component); diff != "" {
		t.Errorf("subject of the document (-want +got):\n%s", diff)
	}
	if len(doc.Components) != 2 {
		t.Fatalf("got %d components, want 2:\n%s", len(doc.Components), raw)
	}
	if got := doc.Components[0].Name; got != "meta/labels.json" {
		t.Errorf("first component = %q, want meta/labels.json", got)
	}
	if got, want := doc.Components[1].Hashes[0].Content, digest("weights").Hex(); got != want {
		t.Errorf("hash of the second component = %s, want %s", got, want)
	}
	if err := os.WriteFile(filepath.Join(files, "model.onnx"), []byte("others"), 0o600); err != nil {
		t.Fatal(err)
	}
	if third := generate(); third.SPDX.Digest == first.SPDX.Digest {
		t.Errorf("digest with changed files = %s, as before the change", third.SPDX.Digest)
	}
	request.Files = t.TempDir()
	if _, err := s.ModelSBOM(t.Context(), request); !fault.Is(err, fault.NotFound) {
		t.Errorf("ModelSBOM of an empty folder = %v, want an error of kind %v", err, fault.NotFound)
	}
}

func digest(text string) delivery.Digest {
	return delivery.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))))
}
