package client

import (
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// conflictsOnlyWith reports whether an error is a conflict about fields of other
// managers, all of which are selected.
func conflictsOnlyWith(err error, selected func(manager string) bool) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || !apierrors.IsConflict(err) || status.Status().Details == nil {
		return false
	}
	conflicts := 0
	for _, c := range status.Status().Details.Causes {
		if c.Type != metav1.CauseTypeFieldManagerConflict {
			return false
		}
		m := managerPattern.FindStringSubmatch(c.Message)
		if m == nil || !selected(m[1]) {
			return false
		}
		conflicts++
	}
	return conflicts > 0
}
