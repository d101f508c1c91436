package jobrunner

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// The suite of the port, in a cluster whose pods are processes of this machine. In a real
// one, TestCluster runs it.
func TestJobs_Conformance(t *testing.T) {
	porttest.TestJobsElsewhere(t, func(t *testing.T) func() port.Jobs {
		cluster := fakeapi.NewCluster(t, volumeDir)
		return func() port.Jobs { return openIn(t, cluster) }
	})
}
