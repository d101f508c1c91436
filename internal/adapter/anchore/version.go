package anchore

import (
	"runtime/debug"

	"github.com/anchore/clio"
)

// moduleVersion is a library's version, as it was built in: "0.121.2".
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, d := range info.Deps {
		if d.Path == path && len(d.Version) > 1 {
			return d.Version[1:]
		}
	}
	return "unknown"
}

func clientID() clio.Identification {
	return clio.Identification{Name: "slipway", Version: moduleVersion("github.com/anchore/grype")}
}
