package model

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/retail/internal/retail"
)

// sample is a model with made-up weights, of the right shape.
func sample() *Model {
	rows := []retail.Features{
		{BasketSize: "L", BasketType: "Top Up", StoreRegion: "E01", StoreFormat: "LS", ProdCode20: "DEP1", ProdCode30: "G1", Spend: 1, Quantity: 1},
		{BasketSize: "S", BasketType: "Full Shop", StoreRegion: "S01", StoreFormat: "XLS", ProdCode20: "DEP2", ProdCode30: "G1", Spend: 9, Quantity: 4},
	}
	m := &Model{Encoder: NewEncoder(rows), Training: Training{Rows: 2, Split: "none"}}
	m.Weights = make([][retail.NumClasses]float64, m.Encoder.Width())
	for i := range m.Weights {
		m.Weights[i] = [...]float64{float64(i) / 10, -float64(i) / 7, 0.5}
	}
	return m
}

func saved(t *testing.T) (dir string, text []byte) {
	t.Helper()
	dir = t.TempDir()
	if err := sample().Save(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	return dir, text
}

func TestLoad_ReturnsWhatSaveWrote(t *testing.T) {
	dir, text := saved(t)
	m, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if m.Digest() != Digest(text) || m.Training != sample().Training {
		t.Errorf("digest %s, training %+v", m.Digest(), m.Training)
	}
	f := retail.Features{BasketSize: "S", StoreRegion: "N09", Spend: 3, Quantity: 2}
	want, _ := sample().Predict(&f)
	got, unknown := m.Predict(&f)
	if got != want {
		t.Errorf("predicts %v, expected %v", got, want)
	}
	if unknown != [...]bool{false, true, true, true, true, true} {
		t.Errorf("unknown categories are %v", unknown)
	}
	again := t.TempDir()
	if err := m.Save(again); err != nil {
		t.Fatal(err)
	}
	if copied, _ := os.ReadFile(filepath.Join(again, FileName)); !bytes.Equal(copied, text) {
		t.Error("saving a loaded model wrote other bytes")
	}
}

func TestLoad_RejectsTruncation(t *testing.T) {
	dir, text := saved(t)
	path := filepath.Join(dir, FileName)
	for cut := 0; cut < len(text)-2; cut += 97 { // the last two bytes are "}\n"
		if err := os.WriteFile(path, text[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(dir)
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "cut short") {
			t.Fatalf("cut after %d of %d bytes: error is %v", cut, len(text), err)
		}
	}
}

func TestLoad_Errors(t *testing.T) {
	dir, text := saved(t)
	path := filepath.Join(dir, FileName)
	for name, c := range map[string]struct{ old, new, want string }{
		"other format":     {Format, "retail-softmax/9", "retail-softmax/9"},
		"other target":     {retail.Target, "BASKET_TYPE", "BASKET_TYPE"},
		"not JSON":         {`"numeric"`, `numeric`, "corrupt at byte"},
		"unknown key":      {`"training"`, `"trainin"`, "trainin"},
		"text for number":  {`"rows": 2`, `"rows": "2"`, "rows"},
		"no scale":         {`"scale": `, `"scale": -`, "scale"},
		"unsorted levels":  {`"E01"`, `"T01"`, "STORE_REGION"},
		"renamed feature":  {`"STORE_FORMAT"`, `"SHAPE"`, "SHAPE"},
		"missing weight":   {`"LA": [`, `"LA": [], "XX": [`, "weights"},
		"absurd weight":    {`-0.14285714285714285`, `-1e300`, "-1e+300"},
		"one weight fewer": {`-0.14285714285714285,`, ``, "MM"},
		"something after":  {"}\n", "}\n{}", "follows"},
	} {
		t.Run(name, func(t *testing.T) {
			at := bytes.LastIndex(text, []byte(c.old))
			if at < 0 {
				t.Fatalf("%q is not in the file", c.old)
			}
			broken := string(text[:at]) + c.new + string(text[at+len(c.old):])
			if err := os.WriteFile(path, []byte(broken), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Load(dir)
			if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, expected one with %q and the file", err, c.want)
			}
		})
	}
}

func TestLoad_ErrorNamesFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, FileName)) {
		t.Errorf("error is %v", err)
	}
}

func TestPredict_ProbabilitiesSumToOne(t *testing.T) {
	for _, scores := range [][3]float64{{0, 0, 0}, {1e8, -1e8, 0}, {-1e300, -1e300, -1e300}, {710, 711, 712}} {
		p := Softmax(scores)
		if sum := p[0] + p[1] + p[2]; math.Abs(sum-1) > 1e-12 {
			t.Errorf("%v gives %v, which adds up to %g", scores, p, sum)
		}
	}
}
