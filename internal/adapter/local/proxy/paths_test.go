package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy"
)

// received is a request as a replica reads it.
type received struct {
	Method, URI, Host, Body string
	Header                  http.Header
}

// receiver is a replica that notes its requests.
type receiver struct {
	mu  sync.Mutex
	got []received
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // it has not come completely
	}
	header := req.Header.Clone()
	if header.Get("Content-Length") == "0" { // as without it
		header.Del("Content-Length")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	host := req.Host
	if strings.HasPrefix(host, "127.0.0.1:") { // of HTTP/1.0 without one: the address of the replica
		host = "replica"
	}
	r.got = append(r.got, received{req.Method, req.RequestURI, host, string(body), header})
	_, _ = io.WriteString(w, "ok")
}

func (r *receiver) take() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

// bothPaths are the two paths with a replica each.
type bothPaths struct {
	plain, general           string // addresses
	plainReplica, generalOne receiver
}

func newBothPaths(t testing.TB) *bothPaths {
	b := &bothPaths{}
	start := func(replica http.Handler) *proxy.Proxy {
		s := httptest.NewServer(replica)
		t.Cleanup(s.Close)
		p := proxy.New(proxy.Config{})
		p.Switch(newPool(a, s.Listener.Addr().String()))
		return p
	}
	b.plain = strings.TrimPrefix(listen(t, start(&b.plainReplica)).URL(), "http://")
	general := httptest.NewServer(start(&b.generalOne))
	t.Cleanup(general.Close)
	b.general = general.Listener.Addr().String()
	return b
}

var statusLine = regexp.MustCompile(`HTTP/1\.[01] [0-9]{3}`)

// lastRequest ends a conversation, unless it is read as part of a body.
const lastRequest = "GET /last HTTP/1.1\r\nHost: last\r\nConnection: close\r\n\r\n"

// converse sends bytes and returns the status lines of all responses.
func converse(t testing.TB, address string, in []byte) []string {
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(300 * time.Millisecond)) // where the last request is part of a body
	_, _ = c.Write(append(bytes.Clone(in), lastRequest...))
	out, _ := io.ReadAll(c)
	return statusLine.FindAllString(string(out), -1)
}

// checkAgree checks that both paths forward the same requests of some bytes, and
// respond alike.
func (b *bothPaths) checkAgree(t testing.TB, in []byte) {
	t.Helper()
	want, got := converse(t, b.general, in), converse(t, b.plain, in)
	wantSeen, gotSeen := b.generalOne.take(), b.plainReplica.take()
	if diff := cmp.Diff(wantSeen, gotSeen); diff != "" {
		t.Errorf("%q: the replica gets (-general +plain):\n%s", in, diff)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%q: the client gets (-general +plain):\n%s", in, diff)
	}
}

const get1 = "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"

// conversations are what parsers have disagreed about.
var conversations = map[string]string{
	"one request":                      get1,
	"three, in one write":              get1 + "POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" + get1,
	"HEAD, OPTIONS, DELETE":            "HEAD / HTTP/1.1\r\nHost: x\r\n\r\nOPTIONS / HTTP/1.1\r\nHost: x\r\n\r\nDELETE / HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET with a body":                  "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 29\r\n\r\n" + get1,
	"close":                            "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + get1,
	"an empty line after a POST":       post(3) + "\r\n" + get1,
	"an empty line after a GET":        get1 + "\r\n" + get1,
	"HTTP/1.0":                         "GET / HTTP/1.0\r\nHost: x\r\n\r\n",
	"HTTP/1.0, keep-alive":             "GET / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n" + get1,
	"chunked":                          "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + get1,
	"plain, then chunked, then plain":  get1 + "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + get1,
	"CL.TE":                            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
	"TE.CL":                            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n1d\r\n" + get1 + "\r\n0\r\n\r\n",
	"TE.TE, obscured":                  "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\nContent-Length: 3\r\n\r\nabc",
	"TE behind a space":                "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding : chunked\r\n\r\nabc",
	"TE behind a vertical tab":         "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding:\x0bchunked\r\n\r\nabc",
	"TE in a continued line":           "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nA: b\r\n Transfer-Encoding: chunked\r\n\r\nabc",
	"TE behind LF":                     "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nA: b\nTransfer-Encoding: chunked\r\n\r\nabc",
	"TE behind CR":                     "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nA: b\rTransfer-Encoding: chunked\r\n\r\nabc",
	"TE twice":                         "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
	"two lengths":                      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
	"two equal lengths":                "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
	"a list of lengths":                "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc",
	"a signed length":                  "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
	"a length with an underscore":      "POST / HTTP/1.1\r\nHost: x\r\nContent_Length: 3\r\n\r\n",
	"a negative length":                "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\nabc",
	"a length in hexadecimal":          "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x3\r\n\r\nabc",
	"a length that overflows":          "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551619\r\n\r\nabc",
	"a length with zeros in front":     "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0000000003\r\n\r\nabc",
	"a body that does not come":        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\nabc",
	"a chunk size that overflows":      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\n",
	"an extension with LF":             "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;\nabc\r\n0\r\n\r\n",
	"no Host":                          "GET / HTTP/1.1\r\n\r\n",
	"two Hosts":                        "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
	"a Host that is none":              "GET / HTTP/1.1\r\nHost: x y\r\n\r\n",
	"an absolute target":               "GET http://other/1 HTTP/1.1\r\nHost: x\r\n\r\n",
	"a target with two slashes":        "GET //other/1 HTTP/1.1\r\nHost: x\r\n\r\n",
	"a target with a space":            "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
	"a target with a broken escape":    "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
	"a target with bytes beyond ASCII": "GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
	"a query with a semicolon":         "GET /?a=1;b=2&c=3 HTTP/1.1\r\nHost: x\r\n\r\n",
	"target *":                         "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
	"an unknown method":                "BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
	"LF alone":                         "GET / HTTP/1.1\nHost: x\n\n",
	"an empty line in front":           "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
	"NUL in a value":                   "GET / HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n",
	"a name that is none":              "GET / HTTP/1.1\r\nHost: x\r\nA(): b\r\n\r\n",
	"a line without a colon":           "GET / HTTP/1.1\r\nHost: x\r\nA\r\n\r\n",
	"names of hops":                    "GET / HTTP/1.1\r\nHost: x\r\nConnection: X-Hop, close\r\nX-Hop: 1\r\n\r\n",
	"what a proxy sets":                "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 6\r\nForwarded: for=6\r\nX-Forwarded-Host: e\r\nX-Forwarded-Proto: https\r\n\r\n",
	"Expect":                           "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
	"an Expect of something else":      "POST / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nContent-Length: 3\r\n\r\nabc",
	"a header of 9 KiB":                "GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 9<<10) + "\r\n\r\n" + get1,
	"bodies of 9 and 70 KiB":           post(9<<10) + post(70<<10) + get1,
	"garbage":                          "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}

func post(size int) string {
	return fmt.Sprintf("POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", size, size, strings.Repeat("b", size))
}

// TestPaths_Agree: what one path refuses, the other does, and they frame alike.
func TestPaths_Agree(t *testing.T) {
	b := newBothPaths(t)
	for name, in := range conversations {
		t.Run(name, func(t *testing.T) { b.checkAgree(t, []byte(in)) })
	}
}

// FuzzPaths compares the paths as a whole. What is plain alone is compared by
// package wire, thousands of times as fast.
func FuzzPaths(f *testing.F) {
	b := newBothPaths(f)
	for _, in := range conversations {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) { b.checkAgree(t, in) })
}
