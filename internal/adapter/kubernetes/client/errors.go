package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/slipway-cd/slipway/internal/fault"
)

// Explain turns an error of the API server into one for people. Its kind tells
// callers whether trying again may help, and whether it is the infrastructure's.
func Explain(act string, err error) error {
	var own *fault.Error
	switch {
	case err == nil || errors.As(err, &own):
		return err
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", act, err)
	}
	status, ok := statusOf(err)
	switch {
	case !ok || isUnreachable(status):
		return explainUnreachable(act, err)
	case status.Reason == metav1.StatusReasonUnauthorized:
		return fault.New(fault.Denied, "%s: authentication failed", act).Cause(err).Infrastructure().
			Hint("the credentials have expired or belong to another cluster: log in again, and check with `kubectl get pods`")
	}
	if p, ok := missingPermission(status.Message); ok {
		return fault.New(fault.Denied, "%s", act).Cause(err).Hint("%s", p.hint())
	}
	return explainRejection(act, status, err)
}

func explainUnreachable(act string, err error) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
		err = op // without the request, which did not get so far
	}
	return fault.New(fault.Unavailable, "%s", act).Cause(err).Infrastructure().Hint("check that the API server is running and reachable from here")
}

// statusOf returns what the API server responded; ok is false if it did not.
func statusOf(err error) (s metav1.Status, ok bool) {
	var status apierrors.APIStatus
	if ok = errors.As(err, &status); ok {
		s = status.Status()
	}
	return s, ok
}

// isUnreachable reports whether a status means that the API server, or what it needs,
// did not respond in time. Every other status is a response to the request.
func isUnreachable(s metav1.Status) bool {
	switch s.Code {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return s.Reason == metav1.StatusReasonServerTimeout // its code is 500
}

// managerPattern finds the manager of a field in the API server's message.
var managerPattern = regexp.MustCompile(`conflicts? with "([^"]+)"`)

// ConflictingFields returns which fields of an object another manager owns, or "".
func ConflictingFields(err error) string {
	status, ok := statusOf(err)
	if !ok || !apierrors.IsConflict(err) || status.Details == nil {
		return ""
	}
	var fields []string
	for _, c := range status.Details.Causes {
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
