package buildkit

import "github.com/slipway-cd/slipway/internal/redact"

// newRedactor returns what removes a build's secrets from what its commands print.
// BuildKit keeps them out of layers; that a RUN prints one, only we can hide.
func newRedactor(secrets map[string][]byte) *redact.Redactor {
	r := redact.New()
	for _, value := range secrets {
		r.Add(string(value))
	}
	return r
}
