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

func TestPrograms(t *testing.T) {
	got, err := readPrograms(fstest.MapFS{
		"README.md":                    {Data: []byte("x")},
		"slipway-model-linux-amd64.gz": {Data: zipped(t, "one")},
		"slipway-model-linux-arm64.gz": {Data: zipped(t, "two")},
	})
	if err != nil || len(got) != 2 || string(got["amd64"]) != "one" || string(got["arm64"]) != "two" {
		t.Errorf("programs = %q, %v", got, err)
	}
}

func TestNoPrograms(t *testing.T) {
	_, err := readPrograms(fstest.MapFS{"README.md": {}})
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.HintOf(err), "model.deliver: env") {
		t.Errorf("no programs: %v (hint %q), want unavailable and what to do", err, fault.HintOf(err))
	}
}

func TestDamagedProgram(t *testing.T) {
	whole := zipped(t, strings.Repeat("program", 99))
	for name, data := range map[string][]byte{"none": nil, "no gzip": []byte("ELF"), "cut off": whole[:len(whole)/2], "empty": zipped(t, "")} {
		_, err := readPrograms(fstest.MapFS{"slipway-model-linux-amd64.gz": {Data: data}})
		if !fault.Is(err, fault.Internal) || !strings.Contains(err.Error(), "amd64") {
			t.Errorf("%s: %v, want the program by its name", name, err)
		}
	}
}

// TestEmbedded holds whatever this build has: all of it or nothing.
func TestEmbedded(t *testing.T) {
	got, err := Programs()
	if fault.Is(err, fault.Unavailable) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		if !bytes.HasPrefix(got[arch], []byte("\x7fELF")) {
			t.Errorf("no program for %s", arch)
		}
	}
}
