package proxy

import (
	"net/http/httputil"
	"net/netip"
	"strings"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy/wire"
)

// TrustProxies lets requests from these addresses say who their client is. It is called
// before the pool gets requests.
func (p *Pool) TrustProxies(proxies []netip.Prefix) { p.proxies = proxies }

// proxiesFor returns the trusted proxies if the address is one of them.
func (p *Proxy) proxiesFor(peer netip.Addr) []netip.Prefix {
	pool := p.current.Load()
	if pool == nil || len(pool.proxies) == 0 || !wire.Trusts(pool.proxies, peer) {
		return nil
	}
	return pool.proxies
}

// setForwarded sets the headers about the client in a request of the general path.
func (p *Proxy) setForwarded(r *httputil.ProxyRequest) {
	peer, _ := netip.ParseAddrPort(r.In.RemoteAddr) // no address is no proxy's
	proxies := p.proxiesFor(peer.Addr())
	if proxies != nil {
		if chain := wire.ClientChain(strings.Join(r.In.Header.Values("X-Forwarded-For"), ","), proxies); chain != "" {
			r.Out.Header.Set("X-Forwarded-For", chain) // to which the next line adds the proxy
		}
	}
	r.SetXForwarded()
	if proxies != nil {
		wire.SetForwarded(r.In.Header, r.Out.Header, r.In.Host)
	}
}
