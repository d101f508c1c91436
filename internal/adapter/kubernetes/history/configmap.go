package history

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Values of labels.Record.
const (
	historyRecord = "history"
	releaseRecord = "release"
)

func newConfigMap(name, record string, h port.History) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": name, "labels": map[string]any{
			labels.ManagedBy: labels.Manager, labels.Record: record, labels.Service: h.Service, labels.Environment: string(h.Environment),
		}},
	}}
}

func list(ctx context.Context, c *client.Client, service string, env delivery.Environment) ([]unstructured.Unstructured, error) {
	return c.List(ctx, client.ConfigMaps(), labels.Selector(service, env)+","+labels.Record)
}

func releaseOf(o unstructured.Unstructured) delivery.ReleaseID {
	return delivery.ReleaseID(o.GetAnnotations()[labels.Release])
}

func deleteAll(ctx context.Context, c *client.Client, configMaps []unstructured.Unstructured) error {
	for _, o := range configMaps {
		if err := c.Delete(ctx, client.ConfigMaps(), o.GetNamespace(), o.GetName()); err != nil {
			return err
		}
	}
	return nil
}

func corrupt(name string, err error) error {
	return fault.New(fault.Corrupt, "read the record %s", name).Cause(err).
		Hint("it was edited by hand: delete that ConfigMap; it is written again from the local records")
}
