package fault_test

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
)

func TestDidYouMean(t *testing.T) {
	known := []string{"service", "image", "deploy", "environments"}
	for word, want := range map[string]string{
		"sevrice":     `did you mean "service"?`,
		"Image":       `did you mean "image"?`,
		"enviroments": `did you mean "environments"?`,
		"im":          "available: deploy, environments, image, service",
		"kubernetes":  "available: deploy, environments, image, service",
		"":            "available: deploy, environments, image, service",
	} {
		if got := fault.DidYouMean(word, known); got != want {
			t.Errorf("DidYouMean(%q) = %q, want %q", word, got, want)
		}
	}
	if got := fault.DidYouMean("x", nil); got != "" {
		t.Errorf("with nothing known it says %q", got)
	}
}
