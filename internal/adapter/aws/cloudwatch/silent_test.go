package cloudwatch

import (
	"context"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
)

func TestClient_SilentServer(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA0000000000000001")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CA_BUNDLE", "")
	silenttest.TestHTTP(t, func(t *testing.T, url string) silenttest.Calls {
		c := New(extension.AWS{Region: "ap-southeast-1"}, "Slipway", session.Options{
			Client: silenttest.Redirect(t, url), Backoff: func(int) time.Duration { return 10 * time.Millisecond },
		})
		return silenttest.Calls{
			"Client.Ensure": func(ctx context.Context) error {
				_, err := c.Ensure(ctx, port.AlarmOwner{Service: "retail", Environment: "prod"}, []port.Alarm{example("prod")})
				return err
			},
			"Client.States": func(ctx context.Context) error {
				_, err := c.States(ctx, []string{"a"})
				return err
			},
			"Client.Publish": func(ctx context.Context) error {
				return c.Publish(ctx, []port.Measurement{{Metric: "m", Time: time.Now()}})
			},
		}
	})
}
