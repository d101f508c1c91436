package kubernetes

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
)

func TestTarget_RegistryPrefix(t *testing.T) {
	for _, c := range []struct{ name, registry, repository, want string }{
		{"name", "127.0.0.1:5000", "api", "127.0.0.1:5000/"},
		{"path", "127.0.0.1:5000", "mlops/api", "127.0.0.1:5000/"},
		{"host", "127.0.0.1:5000", "registry.example.com/api", ""},
		{"host with port", "127.0.0.1:5000", "localhost:5000/api", ""},
		{"this machine", "127.0.0.1:5000", "localhost/api", ""},
		{"name with a dot", "127.0.0.1:5000", "retail.api", "127.0.0.1:5000/"},
		{"no registry", "", "api", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := New(Config{})
			target.section.Registry = c.registry
			if got := target.registryPrefix(delivery.Image{Repository: c.repository}); got != c.want {
				t.Errorf("registryPrefix = %q, want %q", got, c.want)
			}
		})
	}
}
