package proxy_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy"
)

// TestPool_TrustProxies: the client that a trusted proxy reports is passed on, and no
// other one.
func TestPool_TrustProxies(t *testing.T) {
	onBothPaths(t, func(t *testing.T, start startFunc) {
		seen := make(chan string, 1)
		_, at := newReplica(t, func(_ http.ResponseWriter, r *http.Request) {
			seen <- strings.Join(r.Header["X-Forwarded-For"], "|") + " " + r.Header.Get("X-Forwarded-Host") + " " + r.Header.Get("X-Forwarded-Proto")
		})
		for network, want := range map[string]string{
			"127.0.0.0/8": "203.0.113.7, 127.0.0.1 shop.example.com https",
			"10.0.0.0/8":  "127.0.0.1 HOST http",
		} {
			r := start(t, proxy.Config{})
			pool := newPool(a, at)
			pool.TrustProxies([]netip.Prefix{netip.MustParsePrefix(network)})
			r.Switch(pool)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header["X-Forwarded-For"] = []string{"6.6.6.6", "203.0.113.7"}
			req.Header.Set("X-Forwarded-Host", "shop.example.com")
			req.Header.Set("X-Forwarded-Proto", "https")
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if got := strings.Replace(<-seen, strings.TrimPrefix(r.url, "http://"), "HOST", 1); got != want {
				t.Errorf("%s: the replica saw %q, want %q", network, got, want)
			}
		}
	})
}
