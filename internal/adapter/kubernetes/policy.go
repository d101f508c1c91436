package kubernetes

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// policyConfigMap is the name of the ConfigMap with the policy, and policyKey the key in
// it. Slipway never writes it.
const (
	policyConfigMap = "slipway-policy"
	policyKey       = "policy.yaml"
)

var _ port.PolicyReader = (*Target)(nil)

// ReadPolicy returns the policy of the namespace.
func (t *Target) ReadPolicy(ctx context.Context) (text []byte, place string, err error) {
	c, err := t.client(ctx)
	if err != nil {
		return nil, "", err
	}
	place = "ConfigMap " + policyConfigMap + " in " + c.String()
	o, err := c.Get(ctx, client.ConfigMaps(), "", policyConfigMap)
	if err != nil || o == nil {
		return nil, place, err
	}
	content, found, err := unstructured.NestedString(o.Object, "data", policyKey)
	if err != nil || !found {
		return nil, place, fault.New(fault.Invalid, "read the policy in %s: it has no key %s", place, policyKey).Cause(err)
	}
	return []byte(content), place, nil
}
