package buildkit

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
)

// mirror is another place to ask for a registry's images.
type mirror struct {
	address string // host, with a path perhaps
	http    bool   // speaks HTTP without encryption
}

var (
	registryPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$`)
	mirrorPattern   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._/-]*)?$`)
)

// parseMirrors reads "docker.io=http://127.0.0.1:5000,ghcr.io=https://mirror.example.com".
// A registry may be there several times: its mirrors are asked in that order.
func parseMirrors(text string) (map[string][]mirror, error) {
	all := map[string][]mirror{}
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		registry, address, _ := strings.Cut(part, "=")
		u, err := url.Parse(address)
		if err != nil || !registryPattern.MatchString(registry) || u.Scheme != "http" && u.Scheme != "https" ||
			u.User != nil || u.RawQuery != "" || u.Fragment != "" || !mirrorPattern.MatchString(u.Host+strings.TrimSuffix(u.Path, "/")) {
			return nil, fault.New(fault.Invalid, "%s: invalid mirror %q", MirrorsVariable, part).
				Hint("such as docker.io=http://127.0.0.1:5000; separate several with commas")
		}
		all[registry] = append(all[registry], mirror{u.Host + strings.TrimSuffix(u.Path, "/"), u.Scheme == "http"})
	}
	return all, nil
}

// daemonConfig is the buildkitd.toml of our own. RUN shares the machine's
// network, because anything else needs plugins that are not part of BuildKit.
func daemonConfig(mirrors map[string][]mirror, rootless bool) string {
	var b strings.Builder
	b.WriteString("insecure-entitlements = []\n\n[worker.oci]\nenabled = true\nnetworkMode = \"host\"\ngc = true\n")
	if rootless {
		b.WriteString("rootless = true\nnoProcessSandbox = true\n")
	}
	b.WriteString("\n[worker.containerd]\nenabled = false\n\n[cdi]\ndisabled = true\n")
	open := map[string]bool{} // hosts that speak HTTP
	for _, places := range mirrors {
		for _, m := range places {
			host, _, _ := strings.Cut(m.address, "/")
			open[host] = open[host] || m.http
		}
	}
	for _, registry := range slices.Sorted(maps.Keys(mirrors)) {
		var places []string
		for _, m := range mirrors[registry] {
			places = append(places, fmt.Sprintf("%q", m.address))
		}
		fmt.Fprintf(&b, "\n[registry.%q]\nmirrors = [%s]\n", registry, strings.Join(places, ", "))
		if open[registry] {
			b.WriteString("http = true\n")
		}
	}
	for _, host := range slices.Sorted(maps.Keys(open)) {
		if _, listed := mirrors[host]; open[host] && !listed {
			fmt.Fprintf(&b, "\n[registry.%q]\nhttp = true\n", host)
		}
	}
	return b.String()
}
