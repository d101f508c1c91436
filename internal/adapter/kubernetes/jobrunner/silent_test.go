package jobrunner

import (
	"context"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
)

func TestJobs_SilentServer(t *testing.T) {
	silenttest.TestHTTP(t, func(t *testing.T, url string) silenttest.Calls {
		c := fakeapi.ClientAt(t, url)
		j := New(Config{Section: Section{Image: "train"}, Connect: func() (*client.Client, error) { return c, nil }})
		t.Cleanup(func() { _ = j.Close() })
		job := sampleJob(t, "true")
		return silenttest.Calls{
			"Jobs.Submit": func(ctx context.Context) error { _, err := j.Submit(ctx, job); return err },
			"Jobs.Poll":   func(ctx context.Context) error { _, err := j.Poll(ctx, "job-1"); return err },
			"Jobs.Stop":   func(ctx context.Context) error { return silenttest.MaySucceed(j.Stop(ctx, "job-1")) },
			"Jobs.Log":    func(ctx context.Context) error { _, err := j.Log(ctx, "job-1", 0); return silenttest.MaySucceed(err) },
		}
	})
}
