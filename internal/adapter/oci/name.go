package oci

import (
	"net"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

const (
	hostArch     = runtime.GOARCH
	maxName      = 255 // of host and path together, as registries have it
	modelsFolder = "models/"
)

var (
	pathPattern = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	hostPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)
	tagPattern  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
)

// repoName is a repository's name, taken apart. Without a host it is the
// embedded registry's.
type repoName struct{ host, path string }

// parseName is strict, because names become paths and URLs. The first part is a
// host when it has a dot or a colon or is "localhost", as everywhere.
func parseName(s string) (repoName, error) {
	var n repoName
	n.path = s
	if first, rest, ok := strings.Cut(s, "/"); ok && (strings.ContainsAny(first, ".:") || first == "localhost") {
		n.host, n.path = first, rest
	}
	if len(s) > maxName {
		return n, fault.New(fault.Invalid, "repository %q...: its name is longer than %d letters", s[:40], maxName)
	}
	if !pathPattern.MatchString(n.path) || n.host != "" && !validHost(n.host) {
		return n, fault.New(fault.Invalid, "%q is no repository's name", s).
			Hint("lower-case letters, digits and single . _ - between them, parts separated by /, no tag: mlops/retail-api or registry.example.com/mlops/retail-api")
	}
	return n, nil
}

func validHost(s string) bool {
	host := s
	if h, p, err := net.SplitHostPort(s); err == nil {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != p {
			return false
		}
		if strings.HasPrefix(s, "[") {
			ip := net.ParseIP(h)
			return ip != nil && ip.To4() == nil
		}
		host = h
	}
	return hostPattern.MatchString(host)
}

func validateImage(img delivery.Image) error {
	if !img.Digest.Valid() {
		return fault.New(fault.Invalid, "%q is no digest of an image", img.Digest).Hint("sha256: and 64 hexadecimal digits")
	}
	_, err := parseName(img.Repository)
	return err
}

// modelRepository is where the files of a group's versions are kept.
func modelRepository(group string) (string, error) {
	if n, err := parseName(modelsFolder + group); err != nil || n.host != "" {
		return "", fault.New(fault.Invalid, "%q is no model group's name", group).
			Hint("lower-case letters, digits and single . _ - between them: price-models")
	}
	return modelsFolder + group, nil
}

// isLoopback tells whether a host, without port, is this machine.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}
