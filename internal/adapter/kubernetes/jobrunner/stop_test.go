package jobrunner

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func openIn(t *testing.T, cluster *fakeapi.Cluster) *Jobs {
	c := cluster.Client()
	j := New(Config{Section: Section{Image: "train"}, Connect: func() (*client.Client, error) { return c, nil }})
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// commandOf is the state of a job's command in the cluster.
func commandOf(t *testing.T, cluster *fakeapi.Cluster, h port.JobHandle) (state corev1.ContainerState) {
	t.Helper()
	name, err := objectName(h)
	if err != nil {
		t.Fatal(err)
	}
	pod, err := findPod(t.Context(), cluster.Client(), name)
	if err != nil {
		t.Fatal(err)
	}
	if pod != nil {
		if s := statusOf(pod.Status.ContainerStatuses, command); s != nil {
			state = s.State
		}
	}
	return state
}

// liveJob is the Job in the cluster.
func liveJob(t *testing.T, cluster *fakeapi.Cluster, h port.JobHandle) *unstructured.Unstructured {
	t.Helper()
	name, _ := objectName(h)
	live, err := cluster.Client().Get(t.Context(), client.Jobs(), "", name)
	if err != nil || live == nil {
		t.Fatalf("Job of %s: %v, %v", h, live, err)
	}
	return live
}

// What ended a job stays known to every process, and its Job ends in the cluster: one that
// did not would never be removed.
func TestJobs_EndIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		timeout time.Duration
		stop    bool
		want    port.JobState
	}{
		"stopped":   {stop: true, want: ending{Reason: "stopped"}.state()},
		"timed out": {timeout: 100 * time.Millisecond, want: ending{Reason: "timed out after 100ms", TimedOut: true}.state()},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := fakeapi.NewCluster(t, volumeDir)
			j, job := openIn(t, cluster), sampleJob(t, "sleep 300")
			job.Command.Timeout = c.timeout
			h, err := j.Submit(t.Context(), job)
			if err != nil {
				t.Fatal(err)
			}
			if c.stop {
				if err := openIn(t, cluster).Stop(t.Context(), h); err != nil {
					t.Fatal(err)
				}
			}
			porttest.AwaitJob(t, j, h)
			porttest.Await(t, "the Job has failed", func() bool { return client.ConditionTrue(liveJob(t, cluster, h), "Failed") })
			if err := openIn(t, cluster).Stop(t.Context(), h); err != nil {
				t.Error(err)
			}
			s, err := openIn(t, cluster).Poll(t.Context(), h)
			if err != nil || s.Reason != c.want.Reason || s.Exit != c.want.Exit || !s.Done {
				t.Errorf("state %+v, %v, want %+v", s, err, c.want)
			}
		})
	}
}

// A command that has ended is not stopped any more: its pod goes, and its outputs, which
// nobody fetched, are not taken for empty ones.
func TestJobs_StopAfterTheCommand(t *testing.T) {
	cluster := fakeapi.NewCluster(t, volumeDir)
	j, job := openIn(t, cluster), sampleJob(t, "echo x > "+outputDir+"/model/m")
	h, err := j.Submit(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	porttest.Await(t, "the inputs are sent", func() bool {
		_, err := j.Poll(t.Context(), h)
		return err != nil || j.local(h).sent
	})
	porttest.Await(t, "the command has ended", func() bool { return commandOf(t, cluster, h).Terminated != nil })
	if err := openIn(t, cluster).Stop(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	porttest.Await(t, "the Job has completed", func() bool { return client.ConditionTrue(liveJob(t, cluster, h), "Complete") })
	if s := porttest.AwaitJob(t, openIn(t, cluster), h); !strings.HasPrefix(s.Reason, "its outputs were fetched by") {
		t.Errorf("state %+v, want it without outputs", s)
	}
}
