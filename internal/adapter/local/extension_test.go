package local

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// TestProxiesOf: addresses and networks, and no names.
func TestProxiesOf(t *testing.T) {
	location := func(proxies ...string) delivery.Location {
		l, err := delivery.NewLocation(Section{TrustedProxies: proxies})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	got, err := proxiesOf(location("127.0.0.1", "10.0.0.0/8", "fd00::1", "::ffff:192.0.2.1"))
	want := []string{"127.0.0.1/32", "10.0.0.0/8", "fd00::1/128", "192.0.2.1/32"}
	var texts []string
	for _, p := range got {
		texts = append(texts, p.String())
	}
	if diff := cmp.Diff(want, texts); err != nil || diff != "" {
		t.Errorf("error = %v, proxies (-want +got):\n%s", err, diff)
	}
	if got, err := proxiesOf(delivery.Location{}); err != nil || len(got) != 0 {
		t.Errorf("without a section: %v, %v, want none", got, err)
	}
	if got, err := proxiesOf(location("proxy.example.com")); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
		t.Errorf("a name: %v, %v, want %s with a hint", got, err, fault.Invalid)
	}
}
