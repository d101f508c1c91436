// Package wire reads and rewrites the heads of HTTP/1.1 messages as they are on the
// wire, without making a map of them. It takes the plain ones only: whatever could
// be read in more than one way is Rare, and for a parser of everything.
package wire

import (
	"bytes"
	"crypto/subtle"
	"net/http"
	"net/netip"
)

// Request is the head of a plain request. Its fields are parts of the input.
type Request struct {
	Method, Target, Host []byte
	Size                 int   // of the head
	ContentLength        int64 // 0: no body
	Close                bool  // the client does not want another response
	Probe                bool  // it has the header ProbeHeader with the token
	HasIdempotencyKey    bool

	hasLength bool
	forwarded forwarded
}

// Rewriting is how heads of requests are rewritten.
type Rewriting struct {
	Client      string // its address, for X-Forwarded-For
	ProbeHeader string // removed
	ProbeToken  string // value of ProbeHeader that marks a probe; empty: none does

	Proxies []netip.Prefix // the client is one of them, and reports who its own client is; nil: it is none
}

// IsProbe reports whether the value of ProbeHeader is the token. Others who send the
// header are users.
func IsProbe(token string, value []byte) bool {
	return token != "" && subtle.ConstantTimeCompare([]byte(token), value) == 1
}

// Parse reads the head of the request at the start of in, and appends to out
// the head that a replica gets. The result is valid if it is Plain: one of HTTP/1.1
// with a path, one Host, and a body of known length or none. Its hop-by-hop headers
// are left out, and those about the client are replaced.
func (r *Request) Parse(in, out []byte, how Rewriting) ([]byte, Verdict) {
	*r = Request{}
	line, rest, verdict := cutLine(in)
	if verdict != Plain {
		if len(in) > 0 && !isUpper(in[0]) {
			return out, Rare // not even a method
		}
		return out, verdict
	}
	if !r.parseRequestLine(line) {
		return out, Rare
	}
	out = append(append(out, line...), crlf...)
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
		if how.Proxies != nil {
			r.forwarded.read(name, value)
		}
		keep, ok := r.readField(name, value, how)
		if !ok {
			return out, Rare
		}
		if keep {
			out = append(append(out, line...), crlf...)
		}
	}
	if r.Host == nil {
		return out, Rare
	}
	r.Size = len(in) - len(rest)
	return r.forwarded.appendTo(out, r.Host, how.Client, how.Proxies), Plain
}

// parseRequestLine takes the methods that have no meaning for a proxy, and paths that
// no parser writes in another way.
func (r *Request) parseRequestLine(line []byte) bool {
	method, rest, _ := bytes.Cut(line, space)
	target, version, _ := bytes.Cut(rest, space)
	if string(version) != "HTTP/1.1" || !isPlainTarget(target) {
		return false
	}
	switch string(method) {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		r.Method, r.Target = method, target
		return true
	}
	return false
}

// readField reads what matters to a proxy, and reports whether the line goes to the
// replica, and whether it is plain.
func (r *Request) readField(name, value []byte, how Rewriting) (keep, plain bool) {
	switch len(name) {
	case len("te"), len("expect"), len("trailer"):
		if is(name, "te") || is(name, "expect") || is(name, "trailer") || is(name, "upgrade") {
			return false, false
		}
	case len("host"):
		if is(name, "host") {
			plain = r.Host == nil && isPlainHost(value)
			r.Host = value
			return true, plain
		}
	case len("forwarded"):
		if is(name, "forwarded") {
			return false, true
		}
	case len("connection"):
		if is(name, "connection") {
			r.Close = r.Close || is(value, "close")
			return false, is(value, "close") || is(value, "keep-alive")
		}
		if is(name, "keep-alive") {
			return false, true
		}
	case len("content-length"):
		if is(name, "content-length") {
			n, ok := parseLength(value)
			plain = ok && !r.hasLength
			r.ContentLength, r.hasLength = n, true
			return true, plain
		}
	case len("transfer-encoding"):
		if is(name, "transfer-encoding") {
			return false, false
		}
		if is(name, "x-idempotency-key") {
			r.HasIdempotencyKey = true
		}
		if looksLike(name, "x-forwarded-proto") {
			return false, true
		}
	case len("x-forwarded-for"):
		if is(name, "idempotency-key") {
			r.HasIdempotencyKey = true
		}
		return !looksLike(name, "x-forwarded-for"), true
	case len("x-forwarded-host"):
		return !looksLike(name, "x-forwarded-host") && !is(name, "proxy-connection"), true
	case len("proxy-authenticate"):
		return !is(name, "proxy-authenticate"), true
	case len("proxy-authorization"):
		return !is(name, "proxy-authorization"), true
	}
	if len(name) == len(how.ProbeHeader) && is(name, how.ProbeHeader) {
		r.Probe = r.Probe || IsProbe(how.ProbeToken, value)
		return false, true
	}
	return true, true
}
