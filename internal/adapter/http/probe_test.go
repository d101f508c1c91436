package httpprobe_test

import (
	"testing"

	httpprobe "github.com/slipway-cd/slipway/internal/adapter/http"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func TestProber(t *testing.T) {
	porttest.TestProber(t, func(*testing.T) port.Prober { return httpprobe.New() })
}
