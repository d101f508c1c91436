package client

import (
	"context"
	"errors"
	"net"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/slipway-cd/slipway/internal/fault"
)

// Explain turns an error of the API server into one for people. Its kind tells
// callers whether trying again may help.
func Explain(act string, err error) error {
	var own *fault.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case apierrors.IsUnauthorized(err):
		return fault.New(fault.Denied, "%s: authentication failed", act).Cause(err).Infrastructure().
			Hint("the credentials have expired or belong to another cluster: log in again, and check with `kubectl get pods`")
	case apierrors.IsForbidden(err) && !rejectsObject(err):
		return fault.New(fault.Denied, "%s", act).Cause(err).
			Hint("grant it: `slipway` needs the role in docs/kubernetes-role.yaml in that namespace")
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return fault.New(fault.Failed, "%s: rejected by the cluster", act).Cause(err)
	case apierrors.IsConflict(err):
		return fault.New(fault.Conflict, "%s", act).Cause(err)
	case apierrors.IsNotFound(err):
		return fault.New(fault.NotFound, "%s", act).Cause(err)
	}
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
		err = op // without the request, which did not get so far
	}
	return fault.New(fault.Unavailable, "%s", act).Cause(err).Infrastructure().Hint("check that the API server is running and reachable from here")
}

// rejectsObject reports whether a Forbidden error is about the object itself
// (admission, quota, Pod Security) and not about missing permissions.
func rejectsObject(err error) bool {
	text := err.Error()
	for _, phrase := range []string{"exceeded quota", "violates PodSecurity", "admission webhook", "denied the request", "denied request", "limits.", "maximum ", "minimum "} {
		if strings.Contains(text, phrase) {
			return true
		}
	}
	return false
}

// managerPattern finds the manager of a field in the API server's message.
var managerPattern = regexp.MustCompile(`conflicts? with "([^"]+)"`)

// ConflictingFields returns which fields of an object another manager owns, or "".
func ConflictingFields(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || !apierrors.IsConflict(err) || status.Status().Details == nil {
		return ""
	}
	var fields []string
	for _, c := range status.Status().Details.Causes {
		if c.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		manager := "another manager"
		if m := managerPattern.FindStringSubmatch(c.Message); m != nil {
			manager = m[1]
		}
		fields = append(fields, c.Field+" is managed by "+manager)
	}
	return strings.Join(fields, ", ")
}
