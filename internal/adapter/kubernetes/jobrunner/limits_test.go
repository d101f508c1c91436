package jobrunner

import (
	"archive/tar"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/memorytest"
)

// A pod that prints without an end does not fill the memory; where the log was cut is
// its last line, and nothing follows it.
func TestLog_Endless(t *testing.T) {
	memorytest.Run(t, 6*maxLog, func() {
		var l log
		line := []byte(strings.Repeat("x", 1023) + "\n")
		for range 2 * maxLog / len(line) {
			if n, err := l.Write(line); n != len(line) || err != nil {
				t.Fatal(n, err)
			}
		}
		_, _ = l.Write([]byte("a short one\n"))
		text := l.from(0)
		if len(text) > maxLog+200 || !strings.HasSuffix(string(text[len(text)-100:]), "in the pod's log\n") || l.read != 2*maxLog+12 {
			t.Errorf("%d bytes kept of %d, the last: %q", len(text), l.read, text[len(text)-100:])
		}
	})
}

// Outputs of too many files are refused, and not fetched to their end.
func TestReadOutputs_TooMany(t *testing.T) {
	from, to := io.Pipe()
	defer from.Close()
	go func() {
		w := tar.NewWriter(to)
		for i := 0; ; i++ { // of an output that the job does not have: nothing is written
			if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("other/%d", i), Typeflag: tar.TypeReg}); err != nil {
				return
			}
		}
	}()
	err := readOutputs(from, map[string]string{"model": t.TempDir()})
	if !fault.Is(err, fault.Exhausted) || fault.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
}
