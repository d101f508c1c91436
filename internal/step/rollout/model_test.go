package rollout

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/port"
)

func TestModelUseOf(t *testing.T) {
	const opened, closed, unknown = port.ModelOpened, port.ModelNotOpened, port.ModelUseUnknown
	for _, c := range []struct {
		name   string
		uses   []port.ModelUse
		want   port.ModelUse
		detail string
	}{
		{"no replica", nil, unknown, ""},
		{"all", []port.ModelUse{opened, opened}, opened, "model opened"},
		{"one that got a request", []port.ModelUse{closed, opened, unknown}, opened, "model opened by 1 of 3 replicas"},
		{"none", []port.ModelUse{closed, closed}, closed, "model not opened"},
		{"not known of all", []port.ModelUse{closed, unknown}, unknown, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			obs := port.Observation{Replicas: []port.Replica{{Release: "r-old", ModelOpened: opened}}}
			for _, use := range c.uses {
				obs.Replicas = append(obs.Replicas, port.Replica{Release: "r-new", ModelOpened: use})
			}
			if got, detail := ModelUseOf(obs, "r-new"); got != c.want || detail != c.detail {
				t.Errorf("ModelUseOf = %q, %q, want %q, %q", got, detail, c.want, c.detail)
			}
		})
	}
}
