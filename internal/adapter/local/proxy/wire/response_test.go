package wire_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy/wire"
)

const ok = "HTTP/1.1 200 OK\r\n"

// plainResponses are responses with the head that a client gets.
var plainResponses = []struct{ name, in, out string }{
	{"length", ok + "Content-Length: 2\r\n\r\nhi", ok + "Content-Length: 2\r\n\r\n"},
	{"empty", ok + "Content-Length: 0\r\n\r\n", ok + "Content-Length: 0\r\n\r\n"},
	{"chunked", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", ok + "Transfer-Encoding: chunked\r\n\r\n"},
	{"chunked with trailers", ok + "Trailer: A\r\nTransfer-Encoding: chunked\r\n\r\nA;x=y\r\n0123456789\r\n00\r\nA: b\r\n\r\n", ok + "Trailer: A\r\nTransfer-Encoding: chunked\r\n\r\n"},
	{"no content", "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n"},
	{"not modified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n"},
	{"no reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"},
	{"hop by hop", ok + "Connection: keep-alive\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n", ok + "Content-Length: 0\r\n\r\n"},
}

var rareResponses = map[string]string{
	"HTTP/1.0":               "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
	"informational":          "HTTP/1.1 103 Early Hints\r\n\r\n",
	"upgrade":                "HTTP/1.1 101 Switching Protocols\r\n\r\n",
	"until the end":          ok + "\r\nhi",
	"two lengths":            ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
	"length and chunks":      ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"another coding":         ok + "Transfer-Encoding: gzip, chunked\r\n\r\n",
	"Connection with a name": ok + "Connection: X-Hop\r\nContent-Length: 0\r\n\r\n",
	"LF alone":               "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
	"continued line":         ok + "A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
	"chunked without a body": "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
	"status of four digits":  "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
}

func TestResponse_Plain(t *testing.T) {
	for _, c := range plainResponses {
		t.Run(c.name, func(t *testing.T) {
			var r wire.Response
			out, verdict := r.Parse([]byte(c.in), nil, wire.Asked{})
			if diff := cmp.Diff(c.out, string(out)); verdict != wire.Plain || diff != "" {
				t.Fatalf("verdict %d, want plain\n%s", verdict, diff)
			}
			// The end of the body is found wherever it is cut.
			for cut := r.Size; cut <= len(c.in); cut++ {
				b := r.Body
				n, end, err := b.Next([]byte(c.in[r.Size:cut]))
				if rest := c.in[r.Size+n:]; err == nil && !end {
					n, end, err = b.Next([]byte(rest))
					n = len(c.in) - r.Size - len(rest) + n
				}
				if err != nil || !end || r.Size+n != len(c.in) {
					t.Fatalf("cut at %d: end %v at %d of %d: %v", cut, end, r.Size+n, len(c.in), err)
				}
			}
		})
	}
}

func TestResponse_Rare(t *testing.T) {
	for name, in := range rareResponses {
		t.Run(name, func(t *testing.T) {
			var r wire.Response
			if _, verdict := r.Parse([]byte(in), nil, wire.Asked{}); verdict != wire.Rare {
				t.Errorf("verdict %d, want rare", verdict)
			}
		})
	}
}

func TestResponse_ToHead(t *testing.T) {
	var r wire.Response
	in := ok + "Content-Length: 2\r\nConnection: close\r\n\r\n"
	out, verdict := r.Parse([]byte(in), nil, wire.Asked{Head: true, Close: true})
	if verdict != wire.Plain || string(out) != in || !r.Close {
		t.Errorf("verdict %d, %q", verdict, out)
	}
	if n, end, err := r.Body.Next([]byte("next")); n != 0 || !end || err != nil {
		t.Errorf("body of %d bytes, %v, %v", n, end, err)
	}
}

func TestBody_MalformedChunks(t *testing.T) {
	for _, chunks := range []string{"x\r\n", "\r\n", ";a\r\n", "2\nhi\r\n", "2\r\nhiX", "2\r\nhi\rX", "0\r\n\rX", "0\r\nno colon\r\n\r\n", "0\r\n A: b\r\n\r\n", "1234567890123456\r\n", "2;\x00\r\n", "-1\r\n", "2\rX"} {
		var r wire.Response
		_, _ = r.Parse([]byte(ok+"Transfer-Encoding: chunked\r\n\r\n"), nil, wire.Asked{})
		if _, end, err := r.Body.Next([]byte(chunks)); end || err == nil {
			t.Errorf("%q: end %v, %v; want an error", chunks, end, err)
		}
	}
}

// FuzzResponse: net/http accepts every response that is plain, and reads the same
// body from the same bytes.
func FuzzResponse(f *testing.F) {
	for _, c := range plainResponses {
		f.Add([]byte(c.in), false)
		f.Add([]byte(c.in), true)
	}
	for _, in := range rareResponses {
		f.Add([]byte(in), false)
	}
	f.Fuzz(func(t *testing.T, in []byte, head bool) {
		var r wire.Response
		out, verdict := r.Parse(in, nil, wire.Asked{Head: head})
		if verdict != wire.Plain {
			return
		}
		asked := &http.Request{Method: http.MethodGet}
		if head {
			asked.Method = http.MethodHead
		}
		n, end, broken := r.Body.Next(in[r.Size:])
		if broken != nil {
			return // net/http takes more
		}
		for what, message := range map[string][]byte{"the replica's": in, "the client's": append(out, in[r.Size:]...)} {
			reader := bufio.NewReader(bytes.NewReader(message))
			resp, err := http.ReadResponse(reader, asked)
			if err != nil {
				t.Fatalf("plain, but net/http: %v", err)
			}
			body, err := io.ReadAll(resp.Body)
			if resp.StatusCode != r.Status || (err == nil) != end {
				t.Fatalf("%s: status %d, end %v; net/http %d, %v", what, r.Status, end, resp.StatusCode, err)
			}
			want := in[r.Size : r.Size+n]
			if r.Body.IsChunked() {
				want, _ = io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(want)))
			}
			if !bytes.Equal(body, want) {
				t.Errorf("%s: body %q, net/http %q", what, want, body)
			}
			if left, _ := io.ReadAll(reader); end && !bytes.Equal(left, in[r.Size+n:]) {
				t.Errorf("%s: %q follows, net/http %q", what, in[r.Size+n:], left)
			}
		}
	})
}
