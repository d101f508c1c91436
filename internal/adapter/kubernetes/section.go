package kubernetes

import (
	"context"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/extension"
)

// Section is target.kubernetes in slipway.yaml: a namespace of a cluster. Its JSON
// is the delivery.Location of stored plans.
type Section struct {
	Kubeconfig string `yaml:"kubeconfig" json:"kubeconfig,omitempty" jsonschema_description:"Path of the kubeconfig. Default: $KUBECONFIG, ~/.kube/config, or the pod's service account."`
	Context    string `yaml:"context" json:"context,omitempty" jsonschema_description:"Context of the kubeconfig. Default: the current context."`
	Namespace  string `yaml:"namespace" json:"namespace,omitempty" jsonschema_description:"Namespace of the service. Default: that of the context."`
	Registry   string `yaml:"registry" json:"registry,omitempty" jsonschema_description:"HOST:PORT where the cluster's nodes reach Slipway's embedded registry, for images without a registry host."`
	TakeOver   bool   `yaml:"take_over" json:"take_over,omitempty" jsonschema_description:"Take over fields that are owned by other field managers. Default: such fields are a conflict."`

	ManagedCluster `yaml:"-"`
}

// ManagedCluster is a cluster that a cloud manages, and no kubeconfig names. The zero
// value is none.
type ManagedCluster struct {
	Cluster string `json:"cluster,omitempty"`
	extension.AWS
}

// Access returns how to reach a cluster of a cloud. It is called at every connection.
type Access func(ctx context.Context, c ManagedCluster) (client.Endpoint, error)
