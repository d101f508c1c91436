package kubernetes

import (
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/textline"
)

// autoscalerNotes returns a note for each autoscaler: its bounds, and whether it can
// read its metric. One that cannot does nothing, and reports it nowhere else.
func autoscalerNotes(ctx context.Context, c *client.Client, service string, env delivery.Environment) ([]string, error) {
	autoscalers, err := client.ListOf[autoscalingv2.HorizontalPodAutoscaler](ctx, c, client.Autoscalers(), labels.Selector(service, env))
	if err != nil {
		return nil, err
	}
	var notes []string
	for _, h := range autoscalers {
		notes = append(notes, autoscalerNote(h))
	}
	return notes, nil
}

// maxConditionLength is how many characters of a condition's message are shown.
const maxConditionLength = 300

func autoscalerNote(h autoscalingv2.HorizontalPodAutoscaler) string {
	minReplicas := int32(1) // the API's default
	if h.Spec.MinReplicas != nil {
		minReplicas = *h.Spec.MinReplicas
	}
	note := fmt.Sprintf("autoscaler %s: %d replicas, between %d and %d", h.Name, h.Status.CurrentReplicas, minReplicas, h.Spec.MaxReplicas)
	for _, m := range h.Status.CurrentMetrics {
		if m.Resource != nil && m.Resource.Current.AverageUtilization != nil {
			note += fmt.Sprintf("; %s at %d %%", m.Resource.Name, *m.Resource.Current.AverageUtilization)
		}
	}
	for _, cond := range h.Status.Conditions {
		if cond.Type == autoscalingv2.ScalingActive && cond.Status == corev1.ConditionFalse {
			note += "; it cannot read its metric: " + textline.Printable(cond.Message, maxConditionLength)
		}
		if cond.Type == autoscalingv2.AbleToScale && cond.Status == corev1.ConditionFalse {
			note += "; it cannot scale: " + textline.Printable(cond.Message, maxConditionLength)
		}
	}
	return note
}
