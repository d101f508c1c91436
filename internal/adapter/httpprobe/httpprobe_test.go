package httpprobe

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func TestProber(t *testing.T) {
	porttest.TestProber(t, func(*testing.T) port.Prober { return Prober{} })
}
