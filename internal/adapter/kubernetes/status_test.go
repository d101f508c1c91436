package kubernetes

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/port"
)

func TestReplicaOf(t *testing.T) {
	const ready = "conditions: [{type: Ready, status: 'True'}]"
	for _, c := range []struct {
		name, status string
		deleted      bool
		state        port.ReplicaState
		restarts     int
		cause        string
	}{
		{"scheduled", "{phase: Pending}", false, "starting", 0, ""},
		{"running", "{phase: Running, containerStatuses: [{name: api, state: {running: {}}}]}", false, "starting", 0, ""},
		{"ready", "{phase: Running, " + ready + ", containerStatuses: [{name: api, restartCount: 2, state: {running: {}}}]}", false, "ready", 2, ""},
		{"deleted", "{phase: Running, " + ready + ", containerStatuses: [{name: api, state: {running: {}}}]}", true, "draining", 0, ""},
		{"deleted before it started", "{phase: Pending}", true, "draining", 0, ""},
		{"deleted and ended", "{phase: Running, containerStatuses: [{name: api, state: {terminated: {exitCode: 0}}}]}", true, "gone", 0, ""},
		{"crashes", "{phase: Running, containerStatuses: [{name: api, restartCount: 3, state: {waiting: {reason: CrashLoopBackOff, message: back-off}}, lastState: {terminated: {exitCode: 3, reason: Error, message: no model}}}]}", false, "backoff", 3, "container api ended with exit code 3 (Error) no model"},
		{"no image", "{phase: Pending, containerStatuses: [{name: api, state: {waiting: {reason: ImagePullBackOff, message: not found}}}]}", false, "backoff", 0, "ImagePullBackOff not found"},
		{"init crashes", "{phase: Pending, initContainerStatuses: [{name: model, restartCount: 1, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 7}}}], containerStatuses: [{name: api, state: {waiting: {reason: PodInitializing}}}]}", false, "backoff", 1, "container model ended with exit code 7"},
		{"evicted", "{phase: Failed, reason: Evicted, message: The node was low on memory}", false, "exited", 0, "Evicted The node was low on memory"},
		{"evicted and removed", "{phase: Failed, reason: Evicted}", true, "gone", 0, "Evicted"},
		{"ended", "{phase: Failed, containerStatuses: [{name: api, state: {terminated: {exitCode: 137, reason: OOMKilled}}}]}", false, "exited", 0, "exit code 137 (OOMKilled)"},
		{"hostile", `{phase: Failed, message: "a\e[31m\nb"}`, false, "exited", 0, "a [31m b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			pod := fakeapi.As[corev1.Pod](t, "{metadata: {name: api-1, labels: {slipway.dev/release: r-1}}, status: "+c.status+"}")
			if c.deleted {
				pod.DeletionTimestamp = &metav1.Time{Time: time.Now()}
			}
			if ended := hasEnded(pod); ended != (c.state == "gone") {
				t.Errorf("hasEnded = %v", ended)
			}
			got := replicaOf(pod)
			if c.state == "gone" {
				got.State = "gone" // it is not shown
			}
			if got.Name != "api-1" || got.Release != "r-1" || got.State != c.state || got.Restarts != c.restarts || !strings.Contains(got.Cause, c.cause) {
				t.Errorf("replica = %+v, want %s with %d restarts: %q", got, c.state, c.restarts, c.cause)
			}
			if c.cause == "" && got.Cause != "" {
				t.Errorf("cause = %q, want none", got.Cause)
			}
		})
	}
}

func TestCauseLine(t *testing.T) {
	if got := causeLine(" a\tb\r\n\x00c\x7f " + "\xff"); got != "a b c" {
		t.Errorf("causeLine = %q, want a b c", got)
	}
	if got := causeLine(strings.Repeat("ä", 400)); len(got) > 610 || !strings.HasSuffix(got, "ä…") {
		t.Errorf("causeLine has %d bytes: %q", len(got), got)
	}
}
