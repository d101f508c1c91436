// Package repository reads the names of repositories in OCI registries.
package repository

import (
	"net"
	"strconv"
	"strings"

	"github.com/distribution/reference"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// maxName is how many characters host and path have together, as registries have it.
const maxName = reference.RepositoryNameTotalLengthMax

// Name is a repository's name, split. Without a host it belongs to the embedded
// registry.
type Name struct{ Host, Path string }

// Parse splits a name. It is strict, because names become paths and URLs.
func Parse(s string) (Name, error) {
	var n Name
	n.Host, n.Path = delivery.SplitRepository(s)
	if len(s) > maxName {
		return n, fault.New(fault.Invalid, "repository %q...: the name is longer than %d characters", s[:40], maxName)
	}
	if !n.valid() {
		return n, fault.New(fault.Invalid, "invalid repository name %q", s).
			Hint("use lower-case letters, digits and single . _ - between them, parts separated by /, without a tag: mlops/retail-api or registry.example.com/mlops/retail-api")
	}
	return n, nil
}

// valid holds the name against the grammar of distribution, which knows nothing of
// the embedded registry: its names get a host for that.
func (n Name) valid() bool {
	host := n.Host
	if host == "" {
		host = "localhost"
	}
	named, err := reference.WithName(host + "/" + n.Path)
	return err == nil && reference.Domain(named) == host && reference.Path(named) == n.Path &&
		(n.Host == "" || validHost(n.Host))
}

// validHost checks what the grammar leaves open: case, the port's range and whether
// what looks like an IPv6 address is one.
func validHost(s string) bool {
	if s != strings.ToLower(s) {
		return false
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return !strings.HasPrefix(s, "[")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != port {
		return false
	}
	return !strings.HasPrefix(s, "[") || net.ParseIP(host) != nil
}

// ValidTag reports whether s can be the tag of an image.
func ValidTag(s string) bool {
	named, err := reference.WithName("localhost/a")
	if err != nil {
		return false
	}
	_, err = reference.WithTag(named, s)
	return err == nil
}
