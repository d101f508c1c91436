package readiness

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/fault"
)

// assessImagePull assesses a failed image pull. A registry that reports "not found"
// or "denied" will still do so in a minute; one that is unreachable or failing is
// given time.
func (a *assessor) assessImagePull(b containerState) {
	message := a.pullMessage(b)
	kind, hint, permanent := classifyPullError(b, message)
	t := problem{rank: rankImagePull, kind: kind, hint: hint, infrastructure: kind == fault.Exhausted || kind == fault.Denied && b.status.State.Waiting.Reason != "SignatureValidationFailed"}
	// Runtimes repeat the image's name before the registry's message.
	message = strings.ReplaceAll(message, fmt.Sprintf("%q", b.spec.Image), "it")
	t.cause = joinNonEmpty(": ", fmt.Sprintf("%s: image %s can't be pulled", b, clean(b.spec.Image)), clean(message))
	patience := a.timeouts.Pull
	if permanent {
		patience = 0
	}
	a.addProblem(t, patience, a.elapsed(a.firstFailure(b, "Failed to pull image")))
}

// pullMessage returns the registry's message. During back-off, older kubelets report
// only that; the message is then in an event.
func (a *assessor) pullMessage(b containerState) string {
	message := b.status.State.Waiting.Message
	rest := strings.TrimPrefix(message, fmt.Sprintf("Back-off pulling image %q", b.spec.Image))
	rest = strings.TrimPrefix(rest, ": ")
	rest = strings.TrimPrefix(rest, "ErrImagePull: ")
	if rest != "" && !strings.HasPrefix(rest, "Back-off pulling image") {
		return rest
	}
	e := a.latest(b.pod, func(e *corev1.Event) bool {
		return e.Reason == "Failed" && b.matchesEvent(e) && strings.HasPrefix(e.Message, "Failed to pull image")
	})
	if e == nil {
		return message
	}
	return strings.TrimPrefix(e.Message, fmt.Sprintf("Failed to pull image %q: ", b.spec.Image))
}

// classifyPullError classifies a registry's message as passed on by container
// runtimes, which have no error codes for it. The image's name is removed first: a
// repository may be named "denied".
func classifyPullError(b containerState, message string) (kind fault.Kind, hint string, permanent bool) {
	if b.spec.Image != "" {
		message = strings.ReplaceAll(message, b.spec.Image, "")
	}
	switch b.status.State.Waiting.Reason {
	case "InvalidImageName":
		return fault.Invalid, "correct the image's name", true
	case "ErrImageNeverPull":
		return fault.NotFound, "imagePullPolicy is Never and the node does not have the image: use IfNotPresent", true
	case "SignatureValidationFailed":
		return fault.Denied, "the node only runs signed images: sign it, or change the node's policy", true
	}
	switch {
	case containsAny(message, "unknown authority", "x509:", "gave http response to https"):
		return fault.Denied, "the nodes don't trust this registry: give their container runtime its certificate, or allow plain HTTP for it", true
	case containsAny(message, "connection refused", "timeout", "deadline exceeded", "no such host", "connection reset", "server misbehaving",
		"network is unreachable", "no route to host", "unexpected eof", "registry is unavailable", "temporary failure"):
		return fault.Unavailable, "check that the nodes can reach the registry under this name", false
	case containsAny(message, "too many requests", "toomanyrequests", "rate limit", ": 429"):
		return fault.Unavailable, "the registry limits the request rate: pull with an account, or from a mirror", false
	case containsAny(message, "internal server error", "bad gateway", "service unavailable", "gateway time", "unexpected status code 5"):
		return fault.Unavailable, "the registry is failing (5xx)", false
	case containsAny(message, "no space left"):
		return fault.Exhausted, "the node's disk is full: unused images are removed after a while", false
	case containsAny(message, "unauthorized", "denied", "forbidden", "authentication required", "authorization failed", "no basic auth credentials", "insufficient_scope"):
		return fault.Denied, "give the pods imagePullSecrets that may read the repository, or the nodes' role the right to pull (ECR); a wrong name looks the same to some registries", true
	case containsAny(message, "no match for platform", "no matching manifest"):
		return fault.NotFound, "the image is not built for the nodes' platform: build it for that platform", true
	case containsAny(message, "not found", "manifest unknown", "name unknown", "does not exist", "no such manifest"):
		return fault.NotFound, "check that it was pushed to the registry that the cluster pulls from, under this name", true
	}
	return fault.Unavailable, "check the image's name and the registry", false
}
