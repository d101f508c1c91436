package catalog

import (
	"context"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/adapter/aws/resources"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/grants"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
)

// Accounts returns who looks after what a project needs in an account of AWS, and in the
// clusters that belong to it.
func Accounts(at extension.AWS) map[account.Kind]port.Account {
	kinds := resources.New(at, session.Options{}).Kinds()
	kinds[account.KindNamespace] = grants.New(func(ctx context.Context, cluster string) (client.Endpoint, error) {
		return findEKS(ctx, kubernetes.ManagedCluster{Cluster: cluster, AWS: at})
	})
	return kinds
}
