package wire

import (
	"net/http"
	"net/netip"
	"strings"
)

// forwarded is what a trusted proxy reports about its client.
type forwarded struct{ chain, host, proto []byte }

// read notes the header of a trusted proxy. The last host and scheme count, which are
// those of the proxy next to us.
func (f *forwarded) read(name, value []byte) {
	switch {
	case is(name, "x-forwarded-for"):
		if len(f.chain) > 0 {
			f.chain = append(f.chain, ',')
		}
		f.chain = append(f.chain, value...)
	case is(name, "x-forwarded-host"):
		f.host = value
	case is(name, "x-forwarded-proto"):
		f.proto = value
	}
}

// appendTo appends the headers about the client of a request to a host, which came from
// the peer: one of the proxies, unless there are none.
func (f *forwarded) appendTo(out, host []byte, peer string, proxies []netip.Prefix) []byte {
	proto := "http"
	out = append(out, "X-Forwarded-For: "...)
	if proxies != nil {
		if chain := ClientChain(string(f.chain), proxies); chain != "" {
			out = append(append(out, chain...), ", "...)
		}
		if isPlainHost(f.host) {
			host = f.host
		}
		if is(f.proto, "https") {
			proto = "https"
		}
	}
	out = append(out, peer...)
	out = append(append(out, "\r\nX-Forwarded-Host: "...), host...)
	return append(append(append(out, "\r\nX-Forwarded-Proto: "...), proto...), "\r\n\r\n"...)
}

// ClientChain returns the end of an X-Forwarded-For that trusted proxies have written: the
// client's address, and those of the proxies after it. What a client wrote before that is
// left out.
func ClientChain(chain string, proxies []netip.Prefix) string {
	entries := strings.Split(chain, ",")
	first := len(entries)
	for i := len(entries) - 1; i >= 0; i-- {
		entries[i] = strings.Trim(entries[i], " \t")
		at, ok := parseAddress(entries[i])
		if !ok {
			break
		}
		if first = i; !Trusts(proxies, at) {
			break
		}
	}
	return strings.Join(entries[first:], ", ")
}

// parseAddress parses an address, which some proxies write with a port.
func parseAddress(text string) (netip.Addr, bool) {
	if at, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return at, at.Zone() == ""
	}
	at, err := netip.ParseAddrPort(text)
	return at.Addr(), err == nil && at.Addr().Zone() == ""
}

// Trusts reports whether an address is one of the proxies.
func Trusts(proxies []netip.Prefix, at netip.Addr) bool {
	at = at.Unmap()
	for _, p := range proxies {
		if p.Contains(at) {
			return true
		}
	}
	return false
}

// SetForwarded sets the headers about the client in a request of net/http, which has
// those about the proxy next to us already, as those of a plain request.
func SetForwarded(in, out http.Header, host string) {
	if last := lastOf(in.Values("X-Forwarded-Host")); last != "" && isPlainHost([]byte(last)) {
		host = last
	}
	out.Set("X-Forwarded-Host", host)
	if strings.EqualFold(lastOf(in.Values("X-Forwarded-Proto")), "https") {
		out.Set("X-Forwarded-Proto", "https")
	}
}

func lastOf(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return strings.Trim(values[len(values)-1], " \t")
}
