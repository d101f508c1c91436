// Package loopback tells this machine's addresses from others: what is sent to one can't
// be read on the way.
package loopback

import (
	"net"
	"strings"
)

// IsHost reports whether a host, without port, is this machine. Of names, only localhost
// is: 127.example.com belongs to whoever owns example.com.
func IsHost(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}
