package modelprogram

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/slipway-cd/slipway/internal/fault"
)

func zipped(t *testing.T, content string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestReadPrograms(t *testing.T) {
	got, err := readPrograms(fstest.MapFS{
		"README.md":                    {Data: []byte("x")},
		"slipway-model-linux-amd64.gz": {Data: zipped(t, "one")},
		"slipway-model-linux-arm64.gz": {Data: zipped(t, "two")},
	})
	if err != nil || len(got) != 2 || string(got["amd64"]) != "one" || string(got["arm64"]) != "two" {
		t.Errorf("programs = %q, %v, want one and two", got, err)
	}
}

func TestReadPrograms_None(t *testing.T) {
	_, err := readPrograms(fstest.MapFS{"README.md": {}})
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.HintOf(err), "model.deliver: env") {
		t.Errorf("readPrograms = %v (hint %q), want an error of kind %s with what to do", err, fault.HintOf(err), fault.Unavailable)
	}
}

func TestReadPrograms_Corrupt(t *testing.T) {
	whole := zipped(t, strings.Repeat("program", 99))
	for name, data := range map[string][]byte{"none": nil, "no gzip": []byte("ELF"), "cut off": whole[:len(whole)/2], "empty": zipped(t, "")} {
		t.Run(name, func(t *testing.T) {
			_, err := readPrograms(fstest.MapFS{"slipway-model-linux-amd64.gz": {Data: data}})
			if !fault.Is(err, fault.Internal) || !strings.Contains(err.Error(), "amd64") {
				t.Errorf("readPrograms = %v, want an error of kind %s that names amd64", err, fault.Internal)
			}
		})
	}
}

// TestPrograms_AllOrNone checks that a build has all programs or none.
func TestPrograms_AllOrNone(t *testing.T) {
	got, err := Programs()
	if fault.Is(err, fault.Unavailable) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		if !bytes.HasPrefix(got[arch], []byte("\x7fELF")) {
			t.Errorf("the program for %s is not an ELF file", arch)
		}
	}
}
