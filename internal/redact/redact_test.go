package redact

import (
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
)

func TestRedactor_Text(t *testing.T) {
	r := FromEnviron([]string{"API_TOKEN=tok-12345678", "HOME=/home/somebody", "DB_PASSWORD=short", "KEY_PRIVATE_KEY=-----BEGIN\nabcdefghijk\n"}, "from-the-file", "four", "abc")
	for name, c := range map[string]struct{ in, want string }{
		"variable named like a secret": {"a tok-12345678 b", "a *** b"},
		"ordinary variable":            {"/home/somebody stays", "/home/somebody stays"},
		"suspected, but too short":     {"short stays", "short stays"},
		"line of a longer secret":      {"key abcdefghijk", "key ***"},
		"named secret":                 {"url from-the-file?x=1", "url ***?x=1"},
		"named secret of four bytes":   {"is four", "is ***"},
		"named secret, but too short":  {"abc stays", "abc stays"},
		"twice":                        {"twice tok-12345678tok-12345678", "twice ******"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := r.Text(c.in); got != c.want {
				t.Errorf("Text(%q) = %q, want %q", c.in, got, c.want)
			}
			if got, want := r.Contains(c.in), c.in != c.want; got != want {
				t.Errorf("Contains(%q) = %v, want %v", c.in, got, want)
			}
		})
	}
}

func TestRedactor_LongestFirst(t *testing.T) {
	if got := New("hunter", "hunter-and-more").Text("hunter-and-more, hunter"); got != "***, ***" {
		t.Errorf("Text = %q: the rest of the longer secret is left", got)
	}
}

func TestRedactor_Nil(t *testing.T) {
	var r *Redactor
	var out strings.Builder
	w := r.Writer(&out)
	io.WriteString(w, "as it is")
	w.Close()
	if got := r.Text("as it is") + "; " + out.String() + "; " + string(r.JSON([]byte(`{"a": 1}`))); got != `as it is; as it is; {"a": 1}` {
		t.Errorf("a nil Redactor changed something: %s", got)
	}
}

func TestFromEnviron_CredentialsInURLs(t *testing.T) {
	r := FromEnviron([]string{
		"PIP_INDEX_URL=https://robot:s3cr3t%2Fword@pypi.example.com/simple", "PIP_EXTRA_INDEX_URL=https://a.example.com https://glpat-123456@b.example.com/simple",
		"DATABASE=postgres://postgres@db/x", "REMOTE=ssh://deployer@git.example.com/x",
	})
	for name, c := range map[string]struct{ in, want string }{
		"password":           {"GET https://robot:s3cr3t%2Fword@pypi.example.com", "GET https://robot:***@pypi.example.com"},
		"decoded password":   {"decoded s3cr3t/word", "decoded ***"},
		"token":              {"alone glpat-123456", "alone ***"},
		"users of no secret": {"postgres and deployer are no secrets", "postgres and deployer are no secrets"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := r.Text(c.in); got != c.want {
				t.Errorf("Text(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func TestRedactor_AddBase64(t *testing.T) {
	r := New()
	r.AddBase64("aHVudGVyMjI=") // hunter22
	if got := r.Text("aHVudGVyMjI= is hunter22"); got != "*** is ***" {
		t.Errorf("Text = %q", got)
	}
}

func TestRedactor_Error(t *testing.T) {
	inner := errors.New("no route to https://hooks.example.com/T0KEN")
	err := New(URLParts("https://hooks.example.com/T0KEN")...).Error(inner)
	if errors.Is(err, inner) || strings.Contains(err.Error(), "T0KEN") || strings.Contains(err.Error(), "hooks.example.com") {
		t.Errorf("error = %v", err)
	}
	if err := New().Error(nil); err != nil {
		t.Errorf("Error(nil) = %v", err)
	}
}

func TestURLParts(t *testing.T) {
	got := URLParts("slack://hook:a%2Fb@T1/B2?c=d")
	want := []string{"hook", "a%2Fb", "T1", "B2", "c", "d", "slack://hook:a%2Fb@T1/B2?c=d", "hook:a%2Fb@T1/B2?c=d", "a/b", "slack://hook:a/b@T1/B2?c=d", "hook:a/b@T1/B2?c=d"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("URLParts (-want +got):\n%s", diff)
	}
}

func TestUserinfo(t *testing.T) {
	for in, want := range map[string]string{
		"from https://me:pw@index/simple and http://token@x": "from https://***@index/simple and http://***@x",
		"https://index/simple, mail me@example.com":          "https://index/simple, mail me@example.com",
	} {
		if got := Userinfo(in); got != want {
			t.Errorf("Userinfo(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestWithoutURL(t *testing.T) {
	refused := errors.New("connection refused")
	if got := WithoutURL(&url.Error{Op: "Post", URL: "https://x/secret", Err: refused}); got != refused {
		t.Errorf("WithoutURL = %v, want %v", got, refused)
	}
	if got := WithoutURL(refused); got != refused {
		t.Errorf("WithoutURL = %v, want %v", got, refused)
	}
}

func TestRedactor_Writer_SplitSecret(t *testing.T) {
	var out strings.Builder
	w := FromEnviron([]string{"API_TOKEN=tok-12345678"}).Writer(&out)
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

func TestRedactor_Writer_EndlessLine(t *testing.T) {
	var out strings.Builder
	w := FromEnviron([]string{"API_TOKEN=tok-12345678"}).Writer(&out)
	line := strings.Repeat("x", maxLine-4) + "tok-12345678" + strings.Repeat("y", 100)
	io.WriteString(w, line[:10])
	io.WriteString(w, line[10:])
	w.Close()
	if strings.Contains(out.String(), "tok-12345678") || out.Len() != len(line)-len("tok-12345678")+len(Placeholder) {
		t.Errorf("%d bytes came out, with the secret: %v", out.Len(), strings.Contains(out.String(), "tok-12345678"))
	}
}

func TestLineWriter(t *testing.T) {
	var out strings.Builder
	w := LineWriter(&out, Userinfo)
	io.WriteString(w, "GET https://me:p")
	io.WriteString(w, "w@index/\nhttps://to")
	if got := out.String(); got != "GET https://***@index/\n" {
		t.Errorf("after the first line: %q", got)
	}
	w.Close()
	if got := out.String(); got != "GET https://***@index/\nhttps://to" {
		t.Errorf("after Close: %q", got)
	}
}

func TestRedactor_Event(t *testing.T) {
	given := event.Event{Text: "tok-12345678", Hint: "tok-12345678", GateResult: &delivery.GateResult{Evidence: "tok-12345678"}}
	got := FromEnviron([]string{"API_TOKEN=tok-12345678"}).Event(given)
	want := event.Event{Text: Placeholder, Hint: Placeholder, GateResult: &delivery.GateResult{Evidence: Placeholder}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Event (-want +got):\n%s", diff)
	}
	if given.GateResult.Evidence == Placeholder {
		t.Error("the sender's event was changed")
	}
}

func TestRedactor_JSON(t *testing.T) {
	r := New("hunter22")
	for name, c := range map[string]struct{ in, want string }{
		"secret":            {`{"n": 12345678901234567, "list":[{"message":"has hunter22"}]}`, `{"list":[{"message":"has ***"}],"n":12345678901234567}`},
		"no secret":         {`{"b": 1, "a": 2.50}`, `{"b": 1, "a": 2.50}`},
		"not JSON":          {`hunter22`, `hunter22`},
		"nothing":           {``, ``},
		"secret in the key": {`{"hunter22": 1}`, `{"hunter22": 1}`},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(json.RawMessage(c.want), r.JSON(json.RawMessage(c.in))); diff != "" {
				t.Errorf("JSON (-want +got):\n%s", diff)
			}
		})
	}
}
