package cloudwatchlogs

import (
	"context"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/extension"
)

func TestStreams_SilentServer(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA0000000000000001")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CA_BUNDLE", "")
	silenttest.TestHTTP(t, func(t *testing.T, url string) silenttest.Calls {
		s := New(extension.AWS{Region: "ap-southeast-1"}, group, session.Options{
			Client: silenttest.Redirect(t, url), Backoff: func(int) time.Duration { return 10 * time.Millisecond },
		})
		return silenttest.Calls{
			"Streams.Append": func(ctx context.Context) error { return s.Append(ctx, "s", lines("x")) },
		}
	})
}
