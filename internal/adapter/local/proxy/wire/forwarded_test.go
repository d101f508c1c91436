package wire_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy/wire"
)

var proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}

// TestClientChain: only what trusted proxies have written is kept.
func TestClientChain(t *testing.T) {
	for _, c := range []struct{ name, chain, want string }{
		{"none", "", ""},
		{"client", "203.0.113.7", "203.0.113.7"},
		{"client and proxies", "203.0.113.7, 10.1.2.3,10.0.0.1", "203.0.113.7, 10.1.2.3, 10.0.0.1"},
		{"what the client wrote", "6.6.6.6, 203.0.113.7, 10.1.2.3", "203.0.113.7, 10.1.2.3"},
		{"the client wrote a proxy", "6.6.6.6, 10.9.9.9, 203.0.113.7", "203.0.113.7"},
		{"all are proxies", "10.1.2.3, 127.0.0.1", "10.1.2.3, 127.0.0.1"},
		{"with ports", "203.0.113.7:5555, [fd00::1]:80", "203.0.113.7:5555, [fd00::1]:80"},
		{"IPv6", "2001:db8::1, fd00::1", "2001:db8::1, fd00::1"},
		{"mapped", "203.0.113.7, ::ffff:10.0.0.1", "203.0.113.7, ::ffff:10.0.0.1"},
		{"no address", "203.0.113.7, unknown", ""},
		{"no address before a proxy", "a<script>, 10.0.0.1", "10.0.0.1"},
		{"zone", "fd00::1%eth0", ""},
		{"empty entries", ", ,", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := wire.ClientChain(c.chain, proxies); got != c.want {
				t.Errorf("ClientChain(%q) = %q, want %q", c.chain, got, c.want)
			}
		})
	}
}

// TestRequest_TrustedProxy: who is one of the proxies reports its client, host and scheme.
func TestRequest_TrustedProxy(t *testing.T) {
	const in = "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Host: shop.example.com\r\nX-Forwarded-Proto: https\r\nX_Forwarded_For: 7.7.7.7\r\n\r\n"
	trusting := how
	trusting.Proxies = proxies
	for _, c := range []struct {
		how  wire.Rewriting
		want string
	}{
		{how, "X-Forwarded-For: 10.0.0.9\r\nX-Forwarded-Host: x\r\nX-Forwarded-Proto: http\r\n\r\n"},
		{trusting, "X-Forwarded-For: 203.0.113.7, 10.0.0.9\r\nX-Forwarded-Host: shop.example.com\r\nX-Forwarded-Proto: https\r\n\r\n"},
	} {
		var r wire.Request
		out, verdict := r.Parse([]byte(in), nil, c.how)
		_, got, _ := strings.Cut(string(out), "Host: x\r\n")
		if verdict != wire.Plain || got != c.want {
			t.Errorf("verdict %d, %q, want %q", verdict, got, c.want)
		}
	}
}
