package s3_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/s3"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
)

func TestClient_SilentServer(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA0000000000000001")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CA_BUNDLE", "")
	silenttest.TestHTTP(t, func(t *testing.T, url string) silenttest.Calls {
		o := session.Options{Client: silenttest.Redirect(t, url), Backoff: func(int) time.Duration { return 10 * time.Millisecond }}
		opened, err := session.Open(t.Context(), extension.AWS{Region: awstest.Region}, o)
		if err != nil {
			t.Fatal(err)
		}
		c, at := s3.New(opened), s3.Object{Bucket: bucket, Key: "k"}
		dir, data := t.TempDir(), s3.NewDatasets(extension.AWS{Region: awstest.Region}, o)
		return silenttest.Calls{
			"Client.Stat":     func(ctx context.Context) error { _, err := c.Stat(ctx, at); return silenttest.MaySucceed(err) },
			"Client.Read":     func(ctx context.Context) error { _, err := c.Read(ctx, at, 1); return err },
			"Client.Unpack":   func(ctx context.Context) error { _, err := c.Unpack(ctx, at, dir); return err },
			"Client.Download": func(ctx context.Context) error { return c.Download(ctx, at, dir) },
			"Client.Replace":  func(ctx context.Context) error { return c.Replace(ctx, at, strings.NewReader("x"), 1, s3.Encryption{}) },
			"Datasets.Pin":    func(ctx context.Context) error { _, err := data.Pin(ctx, at.String()); return err },
			"Datasets.Fetch": func(ctx context.Context) error {
				return data.Fetch(ctx, delivery.Dataset{URI: at.String()}, dir)
			},
			"Client.Create": func(ctx context.Context) error {
				_, err := c.Create(ctx, at, strings.NewReader("x"), 1, s3.Encryption{})
				return err
			},
		}
	})
}
