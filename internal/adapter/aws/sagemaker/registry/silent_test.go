package registry

import (
	"context"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
)

func TestRegistry_SilentServer(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA0000000000000001")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CA_BUNDLE", "")
	silenttest.TestHTTP(t, func(t *testing.T, url string) silenttest.Calls {
		r := New(Config{
			AWS: extension.AWS{Account: awstest.Account, Region: awstest.Region}, Storage: "s3://" + bucket,
			Options: session.Options{Client: silenttest.Redirect(t, url), Backoff: func(int) time.Duration { return 10 * time.Millisecond }},
		})
		ref := delivery.ModelRef{Group: group, Version: 1}
		return silenttest.Calls{
			"Registry.Register": func(ctx context.Context) error {
				_, err := r.Register(ctx, group, digestOf(1), nil, delivery.Lineage{})
				return err
			},
			"Registry.Decide": func(ctx context.Context) error {
				_, err := r.Decide(ctx, ref, delivery.ModelDecision{Status: delivery.Approved})
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
			"Registry.Locate": func(ctx context.Context) error {
				_, err := r.Locate(ctx, ref)
				return err
			},
			"Registry.SetStage": func(ctx context.Context) error {
				return r.SetStage(ctx, ref, port.ModelStage{Environment: "prod", State: delivery.Serving})
			},
		}
	})
}
