package wire_test

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy/wire"
)

var how = wire.Rewriting{Client: "10.0.0.9", ProbeHeader: "Slipway-Probe", ProbeToken: "token"}

const start = "GET / HTTP/1.1\r\nHost: x\r\n"

// plainRequests are requests with what a replica gets, without X-Forwarded-*.
var plainRequests = []struct{ name, in, out string }{
	{"minimal", start + "\r\n", start},
	{"query and escapes", "GET /a%2Fb/?q=%7B&x=1 HTTP/1.1\r\nHost: x:80\r\n\r\n", "GET /a%2Fb/?q=%7B&x=1 HTTP/1.1\r\nHost: x:80\r\n"},
	{"spelling is kept", "POST / HTTP/1.1\r\nhOst: x\r\nCONTENT-length: 0\r\n\r\n", "POST / HTTP/1.1\r\nhOst: x\r\nCONTENT-length: 0\r\n"},
	{"keep-alive", start + "Connection: keep-alive\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\n\r\n", start},
	{"forwarded by a client", start + "X-Forwarded-For: 6.6.6.6\r\nx-forwarded-host: e\r\nX-Forwarded-Proto: https\r\nForwarded: for=6\r\nA: b\r\n\r\n", start + "A: b\r\n"},
	{"credentials for a proxy", start + "Proxy-Authorization: a\r\nProxy-Authenticate: b\r\nAuthorization: c\r\n\r\n", start + "Authorization: c\r\n"},
	{"the mark of probes", start + "slipway-probe: 1\r\n\r\n", start},
	{"forwarded, with underscores", start + "X_Forwarded_For: 6.6.6.6\r\nx-forwarded_HOST: e\r\nX_FORWARDED_PROTO: https\r\nx_other: b\r\n\r\n", start + "x_other: b\r\n"},
}

func TestRequest_Plain(t *testing.T) {
	for _, c := range plainRequests {
		t.Run(c.name, func(t *testing.T) {
			var r wire.Request
			out, verdict := r.Parse([]byte(c.in+"rest"), nil, how)
			if verdict != wire.Plain || r.Size != len(c.in) {
				t.Fatalf("verdict %d, size %d; want plain, %d", verdict, r.Size, len(c.in))
			}
			want := c.out + "X-Forwarded-For: 10.0.0.9\r\nX-Forwarded-Host: " + string(r.Host) + "\r\nX-Forwarded-Proto: http\r\n\r\n"
			if diff := cmp.Diff(want, string(out)); diff != "" {
				t.Error(diff)
			}
			for i := range c.in {
				if _, verdict := r.Parse([]byte(c.in[:i]), nil, how); verdict != wire.Incomplete {
					t.Fatalf("verdict of %q = %d, want incomplete", c.in[:i], verdict)
				}
			}
		})
	}
}

// rareRequests are those that a parser might read in another way, and those that
// need more than a copy.
var rareRequests = map[string]string{
	"another protocol":            "\x16\x03\x01",
	"HTTP/2":                      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"HTTP/1.0":                    "GET / HTTP/1.0\r\nHost: x\r\n\r\n",
	"no version":                  "GET /\r\n\r\n",
	"two spaces":                  "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
	"tab for a space":             "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n",
	"unknown method":              "BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
	"CONNECT":                     "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
	"absolute target":             "GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n",
	"target *":                    "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
	"incomplete escape":           "GET /%2 HTTP/1.1\r\nHost: x\r\n\r\n",
	"semicolon in a query":        "GET /?a;b HTTP/1.1\r\nHost: x\r\n\r\n",
	"fragment":                    "GET /#a HTTP/1.1\r\nHost: x\r\n\r\n",
	"bytes outside of ASCII":      "GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n",
	"LF alone":                    "GET / HTTP/1.1\nHost: x\n\n",
	"LF alone in the header":      "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n",
	"CR alone in a value":         start + "A: b\rC: d\r\n\r\n",
	"NUL in a value":              start + "A: \x00\r\n\r\n",
	"space before the colon":      start + "Content-Length : 5\r\n\r\n",
	"continued line":              start + "A: b\r\n c\r\n\r\n",
	"continuation at first":       "GET / HTTP/1.1\r\n Host: x\r\n\r\n",
	"line without a colon":        start + "A\r\n\r\n",
	"empty name":                  start + ": b\r\n\r\n",
	"no Host":                     "GET / HTTP/1.1\r\n\r\n",
	"two Hosts":                   start + "Host: x\r\n\r\n",
	"empty Host":                  "GET / HTTP/1.1\r\nHost:\r\n\r\n",
	"Host with a path":            "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n",
	"two lengths":                 start + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
	"two equal lengths":           start + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
	"list of lengths":             start + "Content-Length: 5, 5\r\n\r\n",
	"length with a zero in front": start + "Content-Length: 05\r\n\r\n",
	"signed length":               start + "Content-Length: +5\r\n\r\n",
	"empty length":                start + "Content-Length:\r\n\r\n",
	"hexadecimal length":          start + "Content-Length: 0x5\r\n\r\n",
	"huge length":                 start + "Content-Length: 99999999999999999999\r\n\r\n",
	"chunked":                     start + "Transfer-Encoding: chunked\r\n\r\n",
	"chunked, and a length":       start + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
	"chunked, obscured":           start + "Transfer-Encoding: xchunked\r\n\r\n",
	"chunked, obscured by a tab":  start + "Transfer-Encoding:\tchunked\r\n\r\n",
	"Connection with a name":      start + "Connection: close, X-Hop\r\n\r\n",
	"upgrade":                     start + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
	"Upgrade alone":               start + "Upgrade: h2c\r\n\r\n",
	"Expect":                      start + "Expect: 100-continue\r\n\r\n",
	"TE":                          start + "TE: trailers\r\n\r\n",
	"Trailer":                     start + "Trailer: A\r\n\r\n",
}

func TestRequest_Rare(t *testing.T) {
	for name, in := range rareRequests {
		t.Run(name, func(t *testing.T) {
			var r wire.Request
			if _, verdict := r.Parse([]byte(in), nil, how); verdict != wire.Rare {
				t.Errorf("verdict %d, want rare", verdict)
			}
		})
	}
}

// FuzzRequest: net/http accepts every request that is plain, reads it in the same
// way, and reads the same again in what a replica gets.
func FuzzRequest(f *testing.F) {
	for _, c := range plainRequests {
		f.Add([]byte(c.in))
	}
	for _, in := range rareRequests {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var r wire.Request
		out, verdict := r.Parse(in, nil, how)
		if verdict != wire.Plain {
			return
		}
		reader := bufio.NewReader(bytes.NewReader(in))
		want, err := http.ReadRequest(reader)
		if err != nil {
			t.Fatalf("plain, but net/http: %v", err)
		}
		if string(r.Method) != want.Method || string(r.Target) != want.RequestURI || string(r.Host) != want.Host ||
			string(r.Target) != want.URL.RequestURI() || r.ContentLength != want.ContentLength || r.Close != want.Close || len(want.TransferEncoding) > 0 {
			t.Errorf("parsed %+v, net/http %+v", r, want)
		}
		if body, _ := io.ReadAll(want.Body); len(body) > len(in)-r.Size || int64(len(body)) != min(r.ContentLength, int64(len(in)-r.Size)) {
			t.Errorf("body of %d bytes, net/http %d", r.ContentLength, len(body))
		}
		got, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(append(out, in[r.Size:]...))))
		if err != nil {
			t.Fatalf("net/http on what the replica gets: %v", err)
		}
		if got.Method != want.Method || got.RequestURI != want.RequestURI || got.Host != want.Host || got.ContentLength != want.ContentLength {
			t.Errorf("the replica gets %+v, want %+v", got, want)
		}
		if diff := cmp.Diff(forwarded(want.Header, want.Host), got.Header); diff != "" {
			t.Error(diff)
		}
	})
}

// forwarded is the header that httputil.ReverseProxy would send.
func forwarded(in http.Header, host string) http.Header {
	out := maps.Clone(in)
	for _, name := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Forwarded", how.ProbeHeader} {
		out.Del(name)
	}
	for name := range out { // that WSGI takes for those of the proxy
		switch strings.ReplaceAll(strings.ToLower(name), "_", "-") {
		case "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto":
			delete(out, name)
		}
	}
	out["X-Forwarded-For"], out["X-Forwarded-Host"], out["X-Forwarded-Proto"] = []string{how.Client}, []string{host}, []string{"http"}
	return out
}

func TestRequest_Facts(t *testing.T) {
	var r wire.Request
	in := "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\nIdempotency-Key: k\r\nSlipway-Probe: token\r\nConnection: close\r\n\r\n"
	if _, verdict := r.Parse([]byte(in), nil, how); verdict != wire.Plain || r.ContentLength != 12 || !r.HasIdempotencyKey || !r.Probe || !r.Close {
		t.Errorf("verdict %d, %+v", verdict, r)
	}
	for _, mark := range []string{"1", "", "tokens", "Token"} {
		if _, _ = r.Parse([]byte(start+"Slipway-Probe: "+mark+"\r\n\r\n"), nil, how); r.Probe {
			t.Errorf("a request with the mark %q is taken for a probe", mark)
		}
	}
	without := how
	without.ProbeToken = ""
	if _, _ = r.Parse([]byte(start+"Slipway-Probe: \r\n\r\n"), nil, without); r.Probe {
		t.Error("without a token, a request is taken for a probe")
	}
}
