package jobs

import (
	"context"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
)

func TestJobs_SilentServer(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA0000000000000001")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CA_BUNDLE", "")
	silenttest.TestHTTP(t, func(t *testing.T, url string) silenttest.Calls {
		j := New(Config{
			Section: Section{Image: "train", Bucket: bucket, Instances: []string{"ml.m5.xlarge"}, AWS: extension.AWS{Region: awstest.Region}}, Interval: 10 * time.Millisecond,
			Options: session.Options{Client: silenttest.Redirect(t, url), Backoff: func(int) time.Duration { return 10 * time.Millisecond }},
		})
		dir := t.TempDir()
		job := port.Job{Name: "job-1", Command: port.Command{Run: "true", Dir: dir}, Inputs: map[string]port.Artifact{"checkout": port.FileArtifact("", dir)}}
		return silenttest.Calls{
			"Jobs.Submit": func(ctx context.Context) error { _, err := j.Submit(ctx, job); return err },
			"Jobs.Poll":   func(ctx context.Context) error { _, err := j.Poll(ctx, "job-1"); return err },
			"Jobs.Stop":   func(ctx context.Context) error { return j.Stop(ctx, "job-1") },
			"Jobs.Log":    func(ctx context.Context) error { _, err := j.Log(ctx, "job-1", 0); return silenttest.MaySucceed(err) },
		}
	})
}
