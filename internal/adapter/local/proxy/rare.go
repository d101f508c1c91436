package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"strings"
)

// maxResponseHeader is the size of the longest header of a response.
const maxResponseHeader = 1 << 20

var errUnexpectedUpgrade = errors.New("the replica changed the protocol without a request to")

// relayRare passes a response on that is not plain, by the parser of net/http: it is
// informational, or ends with its connection, or is written in an uncommon way. The
// connection to the replica ends with it.
func (e *plainExchange) relayRare(l *link) (status int, how outcome, err error) {
	limited := &io.LimitedReader{R: io.MultiReader(bytes.NewReader(l.unread()), l.conn)}
	in := bufio.NewReaderSize(limited, linkBuffer)
	l.start = l.end
	for {
		limited.N = maxResponseHeader
		resp, err := http.ReadResponse(in, &http.Request{Method: string(e.req.Method)}) //nolint:bodyclose // it ends with the connection
		switch {
		case err != nil:
			return 0, lost, fmt.Errorf("read the response: %w", err)
		case resp.StatusCode == http.StatusSwitchingProtocols:
			return 0, lost, errUnexpectedUpgrade
		case resp.StatusCode >= 200:
			limited.N = 1 << 62
			return resp.StatusCode, e.relayParsed(resp), nil
		}
		e.out = appendHead(e.out[:0], resp)
		if !e.write(append(e.out, "\r\n"...)) {
			return 0, clientGone, nil
		}
		e.enter(waiting)
	}
}

// relayParsed writes a response, in chunks if its length is not known, as its parts
// come.
func (e *plainExchange) relayParsed(resp *http.Response) outcome {
	e.out = appendHead(e.out[:0], resp)
	hasBody := string(e.req.Method) != http.MethodHead && resp.StatusCode != http.StatusNoContent && resp.StatusCode != http.StatusNotModified
	switch {
	case resp.ContentLength >= 0 && (hasBody || resp.Header["Content-Length"] != nil):
		e.out = fmt.Appendf(e.out, "Content-Length: %d\r\n", resp.ContentLength)
	case hasBody:
		e.out = append(e.out, "Transfer-Encoding: chunked\r\n"...)
	}
	if e.closing {
		e.out = append(e.out, "Connection: close\r\n"...)
	}
	e.out = append(e.out, "\r\n"...)
	if !e.write(e.out) {
		return clientGone
	}
	if hasBody {
		if how := e.relayBody(resp); how != complete {
			return how
		}
	}
	e.end = e.proxy.cfg.Now()
	return complete
}

func (e *plainExchange) relayBody(resp *http.Response) outcome {
	var coded bytes.Buffer
	chunks := httputil.NewChunkedWriter(&coded)
	part := make([]byte, linkBuffer)
	for {
		e.enter(waiting)
		n, err := resp.Body.Read(part)
		e.sampling.add(part[:n])
		out := part[:n]
		if resp.ContentLength < 0 && n > 0 {
			coded.Reset()
			_, _ = chunks.Write(out) // a buffer has no errors
			out = coded.Bytes()
		}
		if n > 0 && !e.write(out) {
			return clientGone
		}
		switch {
		case errors.Is(err, io.EOF):
		case err != nil:
			return truncated
		default:
			continue
		}
		if resp.ContentLength >= 0 {
			return complete
		}
		e.out = append(e.out[:0], "0\r\n"...)
		e.out = append(appendFields(e.out, resp.Trailer), "\r\n"...)
		if !e.write(e.out) {
			return clientGone
		}
		return complete
	}
}

// appendHead appends the status line, and the header without what frames the body
// and without hop-by-hop fields.
func appendHead(out []byte, resp *http.Response) []byte {
	out = fmt.Appendf(out, "HTTP/1.1 %03d %s\r\n", resp.StatusCode, strings.TrimPrefix(strings.TrimPrefix(resp.Status, fmt.Sprintf("%03d", resp.StatusCode)), " "))
	kept := resp.Header.Clone()
	for _, list := range kept["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			kept.Del(textproto.TrimString(name))
		}
	}
	for _, name := range []string{"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length"} {
		kept.Del(name)
	}
	return appendFields(out, kept)
}

func appendFields(out []byte, fields http.Header) []byte {
	var text bytes.Buffer
	_ = fields.Write(&text) // a buffer has no errors
	return append(out, text.Bytes()...)
}
