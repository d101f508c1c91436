package catalog

import (
	"context"

	"github.com/slipway-cd/slipway/internal/adapter/aws/eks"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
)

// findEKS gives the Kubernetes target the clusters of AWS.
func findEKS(ctx context.Context, c kubernetes.ManagedCluster) (client.Endpoint, error) {
	at, err := eks.Find(ctx, eks.Cluster{Name: c.Cluster, AWS: c.AWS}, session.Options{})
	return client.Endpoint(at), err
}
