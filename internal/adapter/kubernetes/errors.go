package kubernetes

import (
	"context"
	"errors"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/slipway-cd/slipway/internal/fault"
)

// unreachable explains an answer of the API server to people. The kind tells
// whether trying again may help.
func unreachable(act string, err error) error {
	var own *fault.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case apierrors.IsUnauthorized(err):
		return fault.New(fault.Denied, "%s: the cluster does not know us", act).Cause(err).Infrastructure().
			Hint("the credentials have expired or are of another cluster: log in again (`kubectl get pods` shows whether it worked)")
	case apierrors.IsForbidden(err) && !refused(err):
		return fault.New(fault.Denied, "%s", act).Cause(err).
			Hint("grant it: `slipway` needs the role in docs/kubernetes-role.yaml, in that namespace")
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return fault.New(fault.Failed, "%s: the cluster refuses it", act).Cause(err)
	case apierrors.IsConflict(err):
		return fault.New(fault.Conflict, "%s", act).Cause(err)
	case apierrors.IsNotFound(err):
		return fault.New(fault.NotFound, "%s", act).Cause(err)
	}
	return fault.New(fault.Unavailable, "%s", act).Cause(err).Infrastructure().Hint("is the API server up, and reachable from here?")
}

// refused tells a refusal of the object itself (admission, quota, Pod Security)
// from a lack of rights: the API says Forbidden to both.
func refused(err error) bool {
	text := err.Error()
	for _, word := range []string{"exceeded quota", "violates PodSecurity", "admission webhook", "denied the request", "denied request", "limits.", "maximum ", "minimum "} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// managerForm finds who owns a field in the API server's message.
var managerForm = regexp.MustCompile(`conflicts? with "([^"]+)"`)

// conflicting says which fields of an object somebody else manages, or "".
func conflicting(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || !apierrors.IsConflict(err) || status.Status().Details == nil {
		return ""
	}
	var said []string
	for _, c := range status.Status().Details.Causes {
		if c.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		who := "another manager"
		if m := managerForm.FindStringSubmatch(c.Message); m != nil {
			who = m[1]
		}
		said = append(said, c.Field+" is managed by "+who)
	}
	return strings.Join(said, ", ")
}
