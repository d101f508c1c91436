package mask

import (
	"io"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
)

func TestMask(t *testing.T) {
	m := New([]string{"API_TOKEN=tok-12345678", "HOME=/home/somebody", "DB_PASSWORD=short", "KEY_PRIVATE_KEY=-----BEGIN\nabcdefghijk\n"}, "from-the-file")
	cases := map[string]string{
		"a tok-12345678 b":               "a *** b",
		"/home/somebody stays":           "/home/somebody stays",
		"short stays":                    "short stays",
		"key abcdefghijk":                "key ***",
		"url from-the-file?x=1":          "url ***?x=1",
		"twice tok-12345678tok-12345678": "twice ******",
	}
	for in, want := range cases {
		if got := m.Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestMaskFindsCredentialsInAddresses(t *testing.T) {
	m := New([]string{
		"PIP_INDEX_URL=https://robot:s3cr3t%2Fword@pypi.example.com/simple", "PIP_EXTRA_INDEX_URL=https://a.example.com https://glpat-123456@b.example.com/simple",
		"DATABASE=postgres://postgres@db/x", "REMOTE=ssh://deployer@git.example.com/x",
	})
	cases := map[string]string{
		"GET https://robot:s3cr3t%2Fword@pypi.example.com": "GET https://robot:***@pypi.example.com",
		"decoded s3cr3t/word":                              "decoded ***",
		"alone glpat-123456":                               "alone ***",
		"postgres and deployer are no secrets":             "postgres and deployer are no secrets",
	}
	for in, want := range cases {
		if got := m.Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestMaskWriterFindsSplitSecrets(t *testing.T) {
	var out strings.Builder
	w := New([]string{"API_TOKEN=tok-12345678"}).Writer(&out)
	for _, part := range []string{"one tok-12", "345678 two\nthr", "ee tok-12345678"} {
		if _, err := io.WriteString(w, part); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "one *** two\nthree ***"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMaskWriterPassesEndlessLines(t *testing.T) {
	var out strings.Builder
	w := New([]string{"API_TOKEN=tok-12345678"}).Writer(&out)
	line := strings.Repeat("x", longestLine-4) + "tok-12345678" + strings.Repeat("y", 100)
	io.WriteString(w, line[:10])
	io.WriteString(w, line[10:])
	w.Close()
	if strings.Contains(out.String(), "tok-12345678") || out.Len() != len(line)-len("tok-12345678")+len(masked) {
		t.Errorf("%d bytes came out, with the secret: %v", out.Len(), strings.Contains(out.String(), "tok-12345678"))
	}
}

func TestMaskSink(t *testing.T) {
	var got event.Event
	sink := New([]string{"API_TOKEN=tok-12345678"}).Sink(event.SinkFunc(func(e event.Event) { got = e }))
	given := event.Event{Text: "tok-12345678", Hint: "tok-12345678", GateResult: &delivery.GateResult{Evidence: "tok-12345678"}}
	sink.Emit(given)
	if got.Text != masked || got.Hint != masked || got.GateResult.Evidence != masked {
		t.Errorf("got %+v", got)
	}
	if given.GateResult.Evidence == masked {
		t.Error("the sender's event was changed")
	}
}
