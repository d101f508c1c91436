package delivery_test

import (
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

func TestParseMoney(t *testing.T) {
	for text, want := range map[string]string{
		"5 USD": "5 USD", "0.30 USD": "0.30 USD", "0.115 USD": "0.115 USD", " 12.5 EUR": "12.50 EUR", "0.00001 USD": "0 USD",
		"": "", "5": "", "USD": "", "5 usd": "", "5 US1": "", "-1 USD": "", "0 USD": "", "NaN USD": "", "Inf USD": "", "1000000 USD": "", "5 USD EUR": "", "5,00 EUR": "",
	} {
		m, ok := delivery.ParseMoney(text)
		if ok != (want != "") || ok && m.String() != want {
			t.Errorf("%q: %s, %v; want %q", text, m, ok, want)
		}
	}
}

func TestDuration_Short(t *testing.T) {
	for text, want := range map[string]string{"10h": "10h", "90m": "1h30m", "1h1s": "1h0m1s", "45s": "45s", "0s": "0s", "2m": "2m", "10m10s": "10m10s", "1.6s": "2s"} {
		d, _ := time.ParseDuration(text)
		if got := delivery.Duration(d).Short(); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if strings.Contains(delivery.Duration(time.Hour).Short(), "0") {
		t.Error("zero parts are shown")
	}
}
