package client

import (
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/slipway-cd/slipway/internal/fault"
)

// rejection is a response that has words of its own. Its phrases are those of the API
// server, which has no codes for them.
type rejection struct {
	phrases        []string
	kind           fault.Kind
	infrastructure bool // the namespace's or the cluster's trouble, whatever is applied
	hint           string
}

// rejections returns what is told apart, the first match first.
func rejections() []rejection {
	return []rejection{
		{[]string{"exceeded quota"}, fault.Exhausted, true,
			"raise the namespace's ResourceQuota, or remove what uses it up: `kubectl describe quota`"},
		{[]string{"must specify limits", "must specify requests", "failed quota"}, fault.Failed, true,
			"the namespace has a quota: set requests and limits for the resources that it covers"},
		{[]string{" usage per ", "limit to request ratio"}, fault.Denied, true,
			"the namespace has a LimitRange: change the container's requests and limits, or the LimitRange"},
		{[]string{"violates PodSecurity"}, fault.Failed, false,
			"set the securityContext that the namespace's pod security level requires"},
		{[]string{"is being terminated"}, fault.Conflict, true,
			"the namespace is being deleted: wait until that is done, and create it again"},
		{[]string{"failed calling webhook"}, fault.Unavailable, true,
			"an admission webhook of the cluster does not respond: contact the cluster's administrator"},
		{[]string{"denied the request", "denied request"}, fault.Failed, false,
			"an admission policy of the cluster rejects it: follow its message, or contact the cluster's administrator"},
		{[]string{"not currently held"}, fault.Denied, true,
			"no account may grant more than it has: have an administrator apply this Role or RoleBinding, and take it out of the manifests"},
		{[]string{"Request entity too large", "request is too large", "may not be more than 1048576 bytes"}, fault.Failed, false,
			"a ConfigMap or Secret holds at most 1 MiB: put large files into the image, the model or a volume"},
		{[]string{"etcdserver:"}, fault.Unavailable, true,
			"the cluster's store (etcd) does not respond: check its control plane"},
		{[]string{"error dialing backend"}, fault.Unavailable, true,
			"the API server does not reach the node: check it with `kubectl get nodes`"},
		{[]string{"could not find the requested resource"}, fault.NotFound, false,
			"the cluster lacks this API: see `kubectl api-resources`, and correct apiVersion and kind"},
	}
}

func (r rejection) matches(message string) bool {
	for _, phrase := range r.phrases {
		if strings.Contains(message, phrase) {
			return true
		}
	}
	return false
}

// explainRejection explains a response of an API server that works.
func explainRejection(act string, s metav1.Status, err error) error {
	for _, r := range rejections() {
		if !r.matches(s.Message) {
			continue
		}
		f := fault.New(r.kind, "%s: rejected by the cluster", act).Cause(err).Hint("%s", r.hint)
		if r.infrastructure {
			f = f.Infrastructure()
		}
		return f
	}
	switch {
	case s.Reason == metav1.StatusReasonConflict, s.Reason == metav1.StatusReasonAlreadyExists:
		return fault.New(fault.Conflict, "%s", act).Cause(err)
	case s.Reason == metav1.StatusReasonNotFound:
		return fault.New(fault.NotFound, "%s", act).Cause(err)
	case strings.Contains(s.Message, schemaPhrase):
		return fault.New(fault.Failed, "%s: rejected by the cluster", act).Cause(schemaError{err})
	case s.Reason == metav1.StatusReasonForbidden:
		return fault.New(fault.Denied, "%s", act).Cause(err).
			Hint("the cluster's rules forbid it: follow the message, or grant what docs/kubernetes-role.yaml lists")
	case s.Code >= http.StatusInternalServerError:
		return fault.New(fault.Failed, "%s: internal error of the API server", act).Cause(err).Infrastructure().
			Hint("the API server responds, but could not process the request: see its log")
	}
	return fault.New(fault.Failed, "%s: rejected by the cluster", act).Cause(err)
}
