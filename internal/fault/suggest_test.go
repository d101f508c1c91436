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
		t.Run(word, func(t *testing.T) {
			if got := fault.DidYouMean(word, known); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	if got := fault.DidYouMean("x", nil); got != "" {
		t.Errorf("got %q without known words, want none", got)
	}
}
