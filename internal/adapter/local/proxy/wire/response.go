package wire

import "bytes"

// Response is the head of a plain response.
type Response struct {
	Size   int // of the head
	Status int
	Close  bool // the server closes the connection after it
	Body   Body
}

// Asked is what the framing of a response depends on, apart from itself.
type Asked struct {
	Head  bool // the method was HEAD
	Close bool // the client's connection is closed after the response
}

// Parse reads the head of the response at the start of in, and appends to out the
// head that the client gets. The result is valid if it is Plain: a final one of
// HTTP/1.1, with a body that ends by its length, its chunks, or the rules for its
// status. Its hop-by-hop headers are left out.
func (r *Response) Parse(in, out []byte, asked Asked) ([]byte, Verdict) {
	*r = Response{}
	line, rest, verdict := cutLine(in)
	if verdict != Plain {
		return out, verdict
	}
	if !r.parseStatusLine(line) {
		return out, Rare
	}
	out = append(append(out, line...), crlf...)
	length := int64(-1)
	for {
		line, rest, verdict = cutLine(rest)
		if verdict != Plain {
			return out, verdict
		}
		if len(line) == 0 {
			break
		}
		name, value, ok := cutField(line)
		if !ok {
			return out, Rare
		}
		keep, ok := r.readField(name, value, &length)
		if !ok {
			return out, Rare
		}
		if keep {
			out = append(append(out, line...), crlf...)
		}
	}
	r.Size = len(in) - len(rest)
	if !r.frame(asked, length) {
		return out, Rare
	}
	if asked.Close {
		out = append(out, "Connection: close\r\n"...)
	}
	return append(out, crlf...), Plain
}

// parseStatusLine takes final responses, and none that changes the protocol.
func (r *Response) parseStatusLine(line []byte) bool {
	version, rest, _ := bytes.Cut(line, space)
	code, reason, _ := bytes.Cut(rest, space)
	n, ok := parseLength(code)
	if string(version) != "HTTP/1.1" || !ok || len(code) != 3 || n < 200 {
		return false
	}
	for _, c := range reason {
		if classes[c]&valueByte == 0 {
			return false
		}
	}
	r.Status = int(n)
	return true
}

func (r *Response) readField(name, value []byte, length *int64) (keep, plain bool) {
	switch len(name) {
	case len("te"), len("upgrade"):
		return !is(name, "te") && !is(name, "upgrade"), true
	case len("connection"):
		if is(name, "connection") {
			r.Close = r.Close || is(value, "close")
			return false, is(value, "close") || is(value, "keep-alive")
		}
		return !is(name, "keep-alive"), true
	case len("content-length"):
		if is(name, "content-length") {
			n, ok := parseLength(value)
			plain = ok && *length < 0
			*length = n
			return true, plain
		}
	case len("transfer-encoding"):
		if is(name, "transfer-encoding") {
			plain = is(value, "chunked") && !r.Body.chunked
			r.Body.chunked = true
			return true, plain
		}
	case len("proxy-connection"):
		return !is(name, "proxy-connection"), true
	case len("proxy-authenticate"):
		return !is(name, "proxy-authenticate"), true
	case len("proxy-authorization"):
		return !is(name, "proxy-authorization"), true
	}
	return true, true
}

// frame finds where the body ends.
func (r *Response) frame(asked Asked, length int64) (plain bool) {
	switch {
	case r.Body.chunked && length >= 0:
		return false
	case asked.Head:
		r.Body = Body{}
	case r.Status == 204 || r.Status == 304:
		if r.Body.chunked {
			return false
		}
		r.Body = Body{}
	case r.Body.chunked:
	case length < 0:
		return false // it ends with the connection
	default:
		r.Body.left = length
	}
	return true
}
