package local

import "github.com/slipway-cd/slipway/internal/adapter/local/probetoken"

// ProbeToken returns the function that reads the token of probes of a state folder.
func ProbeToken(dir string) func() string { return func() string { return probetoken.Read(dir) } }
