package history

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

const anchorKey = "anchor.json"

// anchorName is that of the anchor's ConfigMap. The dot tells it from the history of
// another environment. It has no labels.Record, by which the history is found: that one
// goes with what is deployed, the anchor stays.
func anchorName(service string, env delivery.Environment) string {
	return labels.ObjectName(service, env) + ".anchor"
}

// Anchor returns the environment's anchor; the zero one without one.
func Anchor(ctx context.Context, c *client.Client, service string, env delivery.Environment) (port.Anchor, error) {
	a, _, err := anchor(ctx, c, service, env)
	return a, err
}

// anchor also returns the version of the ConfigMap; empty: there is none.
func anchor(ctx context.Context, c *client.Client, service string, env delivery.Environment) (a port.Anchor, version string, err error) {
	o, err := c.Get(ctx, client.ConfigMaps(), "", anchorName(service, env))
	if err != nil || o == nil {
		return a, "", err
	}
	raw, _, _ := unstructured.NestedString(o.Object, "data", anchorKey)
	if err := json.Unmarshal([]byte(raw), &a); err != nil {
		return a, "", fault.New(fault.Corrupt, "read the record %s: which shared state %s belongs to", o.GetName(), env).Cause(err).
			Hint("it was edited by hand: restore that ConfigMap; or delete it, if the state in slipway.yaml is the right one")
	}
	return a, o.GetResourceVersion(), nil
}

// SetAnchor replaces the anchor if its mark is before.
func SetAnchor(ctx context.Context, c *client.Client, service string, env delivery.Environment, before port.LogMark, a port.Anchor) error {
	now, version, err := anchor(ctx, c, service, env)
	if err != nil {
		return err
	}
	if now.Mark != before {
		return anchorChanged(env)
	}
	raw, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode the anchor of %s: %w", env, err)
	}
	o := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{anchorKey: string(raw)},
		"metadata": map[string]any{"name": anchorName(service, env), "namespace": c.Namespace(), "labels": map[string]any{
			labels.ManagedBy: labels.Manager, labels.Service: service, labels.Environment: string(env),
		}},
	}}
	configMaps := c.In(client.ConfigMaps(), "")
	if version == "" {
		_, err = configMaps.Create(ctx, o, metav1.CreateOptions{FieldManager: labels.Manager})
	} else {
		o.SetResourceVersion(version) // applied only to what was read
		_, err = configMaps.Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: labels.Manager, Force: true})
	}
	if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
		return client.Explain("write the record "+o.GetName(), err)
	}
	// The client repeats a request whose response was lost: it may be our own write.
	if now, _, err := anchor(ctx, c, service, env); err != nil || now.Mark == a.Mark {
		return err
	}
	return anchorChanged(env)
}

func anchorChanged(env delivery.Environment) error {
	return fault.New(fault.Conflict, "another process has recorded meanwhile which shared state %s belongs to", env).
		Hint("start the run again")
}
