package readiness_test

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
	"github.com/slipway-cd/slipway/internal/fault"
)

func TestAssess_ImagePulls(t *testing.T) {
	const prefix = "container api of pod api-77-a: image " + image + " can't be pulled: "
	backoff := `Back-off pulling image "` + image + `"`
	answer := func(said string) readiness.Snapshot {
		return snapshot(1, pod("api-77-a", waiting("ErrImagePull", said)))
	}
	doomed := func(name string, kind fault.Kind, hint, said string) testCase {
		return testCase{name: name, s: answer(said), state: readiness.Failed, kind: kind, hint: hint, cause: prefix + said}
	}
	healable := func(name, said string) testCase {
		return testCase{name: name, s: answer(said), state: readiness.Progressing, waiting: "0 of 1 pods ready; " + prefix + said}
	}
	runCases(t, []testCase{
		doomed("missing", fault.NotFound, "was pushed", "rpc error: code = NotFound desc = failed to resolve reference: not found"),
		doomed("manifest unknown", fault.NotFound, "was pushed", "manifest unknown: manifest unknown"),
		doomed("denied", fault.Denied, "imagePullSecrets", "pull access denied, repository does not exist or may require authorization"),
		doomed("unauthorized", fault.Denied, "imagePullSecrets", "failed to fetch oauth token: unexpected status: 401 Unauthorized"),
		doomed("plain HTTP", fault.Denied, "don't trust", "http: server gave HTTP response to HTTPS client"),
		doomed("platform", fault.NotFound, "platform", "no match for platform in manifest: not found"),
		healable("refused", "dial tcp 10.0.0.1:5000: connect: connection refused"),
		healable("host", "dial tcp: lookup registry: no such host"),
		healable("busy", "unexpected status from HEAD request: 503 Service Unavailable"),
		healable("slow down", "toomanyrequests: You have reached your pull rate limit"),
		healable("odd", "something new"),
		{name: "a repository called denied", s: modified(answer("r/denied-timeout:1: not found"), func(s *readiness.Snapshot) { s.Pods[0].Spec.Containers[0].Image = "r/denied-timeout:1" }),
			state: readiness.Failed, kind: fault.NotFound, hint: "pushed", cause: "container api of pod api-77-a: image r/denied-timeout:1 can't be pulled: r/denied-timeout:1: not found"},
		{name: "unreachable for long", s: snapshot(60, pod("api-77-a", waiting("ErrImagePull", "dial tcp: i/o timeout"))),
			state: readiness.Failed, kind: fault.Unavailable, hint: "nodes can reach", cause: prefix + "dial tcp: i/o timeout"},
		{name: "unknown host for long", s: snapshot(60, pod("api-77-a", waiting("ErrImagePull", "dial tcp: lookup registry: no such host"))),
			state: readiness.Failed, kind: fault.Unavailable, hint: "nodes can reach", cause: prefix + "dial tcp: lookup registry: no such host"},
		{name: "back-off tells in newer clusters", s: snapshot(1, pod("api-77-a", waiting("ImagePullBackOff", backoff+": ErrImagePull: manifest unknown"))),
			state: readiness.Failed, kind: fault.NotFound, hint: "pushed", cause: prefix + "manifest unknown"},
		{name: "back-off alone", s: snapshot(1, pod("api-77-a", waiting("ImagePullBackOff", backoff))), state: readiness.Progressing},
		{name: "back-off with the event", s: withEvents(snapshot(1, pod("api-77-a", waiting("ImagePullBackOff", backoff))),
			event("api-77-a", "Failed", `Failed to pull image "`+image+`": manifest unknown`, 0, 1), event("api-77-a", "Failed", "Error: ImagePullBackOff", 1, 1)),
			state: readiness.Failed, kind: fault.NotFound, hint: "pushed", cause: prefix + "manifest unknown"},
		{name: "another pod's event", s: withEvents(snapshot(1, pod("api-77-a", waiting("ImagePullBackOff", backoff))),
			event("other", "Failed", `Failed to pull image "`+image+`": manifest unknown`, 0, 1)), state: readiness.Progressing},
		{name: "a long pull that broke", s: withEvents(snapshot(300, pod("api-77-a", waiting("ErrImagePull", "connection reset by peer"))),
			event("api-77-a", "Failed", `Failed to pull image "`+image+`": connection reset by peer`, 295, 295)), state: readiness.Progressing},
		{name: "name", s: snapshot(1, pod("api-77-a", waiting("InvalidImageName", "couldn't parse image name"))),
			state: readiness.Failed, kind: fault.Invalid, hint: "correct", cause: prefix + "couldn't parse image name"},
		{name: "never", s: snapshot(1, pod("api-77-a", waiting("ErrImageNeverPull", "Container image is not present with pull policy of Never"))),
			state: readiness.Failed, kind: fault.NotFound, hint: "IfNotPresent", cause: prefix + "Container image is not present with pull policy of Never"},
	})
}
