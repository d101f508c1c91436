package local

import (
	"net/netip"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// parseProxy parses an address or a network.
func parseProxy(text string) (netip.Prefix, error) {
	if at, err := netip.ParseAddr(text); err == nil {
		return at.Unmap().Prefix(at.Unmap().BitLen())
	}
	return netip.ParsePrefix(text)
}

// proxiesOf returns the trusted proxies of a location.
func proxiesOf(l delivery.Location) (all []netip.Prefix, err error) {
	var section struct {
		TrustedProxies []string `json:"trusted_proxies"`
	}
	if err := l.Decode(&section); err != nil {
		return nil, err
	}
	for _, text := range section.TrustedProxies {
		p, err := parseProxy(text)
		if err != nil {
			return nil, fault.New(fault.Invalid, "trusted proxy %q", text).Hint("use an address such as 127.0.0.1, or a network such as 10.0.0.0/8").Cause(err)
		}
		all = append(all, p)
	}
	return all, nil
}
