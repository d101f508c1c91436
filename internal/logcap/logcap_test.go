package logcap_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/logcap"
	"github.com/slipway-cd/slipway/internal/memorytest"
)

func TestWriter(t *testing.T) {
	cases := map[string]struct {
		max    int64
		writes []string
		want   string
	}{
		"within the limit":   {10, []string{"abc\n", "defgh\n"}, "abc\ndefgh\n"},
		"nothing":            {10, nil, ""},
		"within a line":      {10, []string{"abc\n", "defghij\nk\n", "l\n"}, "abc\ndefghi" + reached(10) + "j\nk\nl\n"},
		"after a line":       {10, []string{"abc\ndef\nghij\n", "k\n"}, "abc\ndef\n" + reached(10) + "ghij\nk\n"},
		"within a long line": {4, []string{"abcdefgh\n"}, "abcd" + reached(4) + "efgh\n"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			w := logcap.New(&got, c.max)
			for _, text := range c.writes {
				if n, err := io.WriteString(w, text); n != len(text) || err != nil {
					t.Errorf("Write = %d, %v, want %d", n, err, len(text))
				}
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
			if got.String() != c.want {
				t.Errorf("the log is %q, want %q", got.String(), c.want)
			}
		})
	}
}

func reached(limit int) string {
	return fmt.Sprintf("\n[slipway] This log has reached its limit of %d bytes. Of what follows, only the last %d bytes are kept.\n", limit, logcap.MaxTail)
}

// TestWriter_Endless: a gigabyte ends as its beginning and its end, and takes little
// memory.
func TestWriter_Endless(t *testing.T) {
	memorytest.Run(t, 16<<20, func() {
		var head, tail keeper
		w := logcap.New(io.MultiWriter(&head, &tail), 1<<20)
		line := []byte(strings.Repeat("x", 1<<16) + "\n")
		for range 1 << 14 {
			_, _ = w.Write(line)
		}
		_, _ = io.WriteString(w, "the reason\n")
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if tail.size > 3<<20 {
			t.Errorf("%d bytes were kept", tail.size)
		}
		left := fmt.Sprintf("[slipway] %d bytes were left out here.\n", int64(len(line))<<14+11-(1<<20)-kept(line))
		if !strings.Contains(string(tail.end), left) || !strings.HasSuffix(string(tail.end), "x\nthe reason\n") {
			t.Errorf("the end lacks %q or its last line: %.200q", left, tail.end)
		}
	})
}

// kept is how many bytes of whole lines the end has.
func kept(line []byte) int64 { return (logcap.MaxTail-11)/int64(len(line))*int64(len(line)) + 11 }

// keeper counts, and keeps the last write.
type keeper struct {
	size int64
	end  []byte
}

func (k *keeper) Write(p []byte) (int, error) {
	k.size += int64(len(p))
	k.end = append(k.end[:0], p...)
	return len(p), nil
}
