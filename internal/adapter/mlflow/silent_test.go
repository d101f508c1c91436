package mlflow

import (
	"context"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

func TestRegistry_SilentServer(t *testing.T) {
	silenttest.TestHTTP(t, func(t *testing.T, url string) silenttest.Calls {
		r := open(t, url)
		ref := delivery.ModelRef{Group: group, Version: 1}
		return silenttest.Calls{
			"Registry.Register": func(ctx context.Context) error {
				_, err := r.Register(ctx, group, digestOf(1), nil, delivery.Lineage{})
				return err
			},
			"Registry.Decide": func(ctx context.Context) error {
				_, err := r.Decide(ctx, ref, approve(""))
				return err
			},
			"Registry.Decisions": func(ctx context.Context) error {
				_, err := r.Decisions(ctx, group, 1)
				return err
			},
			"Registry.Get": func(ctx context.Context) error {
				_, err := r.Get(ctx, group, 1)
				return err
			},
			"Registry.List": func(ctx context.Context) error {
				_, _, err := r.List(ctx, port.ModelFilter{}, port.Page{})
				return err
			},
		}
	})
}
