package loopback_test

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/loopback"
)

func TestIsHost(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.1.2.3": true, "127.9.8.7": true, "::1": true, "[::1]": true,
		"": false, "127.example.com": false, "127.0.0.1.example.com": false, "localhost.example.com": false,
		"10.0.0.1": false, "192.0.2.1": false, "0.0.0.0": false, "::": false, "127.1": false,
	} {
		t.Run(host, func(t *testing.T) {
			if got := loopback.IsHost(host); got != want {
				t.Errorf("IsHost = %t, want %t", got, want)
			}
		})
	}
}
