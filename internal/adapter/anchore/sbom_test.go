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

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func TestBillsOfAnImageAreTheSameEachTime(t *testing.T) {
	s := New(Config{Dir: t.TempDir()})
	o := order(t, debian(), []porttest.LayerEntry{wheel("planted-wheel", "1.2.3"), goProgram(t), {Name: "app/package-lock.json", Body: npmLock}})
	var all []port.SBOMs
	for range 3 {
		b, err := s.ImageSBOM(t.Context(), port.ImageSBOMRequest{Layout: o.Layout, Image: o.Image, Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	dir := filepath.Dir(all[0].SPDX.Path)
	b, err := s.ImageSBOM(t.Context(), port.ImageSBOMRequest{Layout: o.Layout, Image: o.Image, Dir: dir}) // from what is kept
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
	order := port.ModelSBOMRequest{Files: files, Model: delivery.ModelRef{Group: "retail", Version: 3, Digest: digest("m")}, Data: digest("d")}
	bill := func() port.SBOMs {
		order.Dir = t.TempDir()
		b, err := s.ModelSBOM(t.Context(), order)
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
	if _, err := s.ModelSBOM(t.Context(), order); !fault.Is(err, fault.NotFound) {
		t.Errorf("no files: %v", err)
	}
}

func digest(text string) delivery.Digest {
	return delivery.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))))
}
