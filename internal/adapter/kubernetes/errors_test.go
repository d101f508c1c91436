package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/slipway-cd/slipway/internal/fault"
)

// said is an API server's answer as it comes over the wire.
func said(t testing.TB, text string) error {
	t.Helper()
	var s metav1.Status
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	return &apierrors.StatusError{ErrStatus: s}
}

// Answers of API servers.
const (
	quotaUsed     = `{"status":"Failure","message":"pods \"api-1\" is forbidden: exceeded quota: small, requested: pods=1, used: pods=4, limited: pods=4","reason":"Forbidden","details":{"name":"api-1","kind":"pods"},"code":403}`
	podSecurity   = `{"status":"Failure","message":"pods \"api\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != true","reason":"Forbidden","code":403}`
	webhookSaysNo = `{"status":"Failure","message":"admission webhook \"validate.kyverno.svc\" denied the request: no latest tags","code":400}`
	policySaysNo  = `{"status":"Failure","message":"deployments.apps \"api\" is forbidden: ValidatingAdmissionPolicy 'team' with binding 'team' denied request: failed expression: has(object.metadata.labels.team)","reason":"Invalid","code":422}`
	limitRange    = `{"status":"Failure","message":"pods \"api\" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi","reason":"Forbidden","code":403}`
	noRight       = `{"status":"Failure","message":"deployments.apps \"api\" is forbidden: User \"system:serviceaccount:ns:slipway\" cannot patch resource \"deployments\" in API group \"apps\" in the namespace \"ns\"","reason":"Forbidden","details":{"name":"api","group":"apps","kind":"deployments"},"code":403}`
	whoAreYou     = `{"status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}`
	gone404       = `{"status":"Failure","message":"namespaces \"ns\" not found","reason":"NotFound","details":{"name":"ns","kind":"namespaces"},"code":404}`
	invalidField  = `{"status":"Failure","message":"Deployment.apps \"api\" is invalid: spec.selector: Invalid value: {}: field is immutable","reason":"Invalid","details":{"name":"api","group":"apps","kind":"Deployment"},"code":422}`
	modified      = `{"status":"Failure","message":"Operation cannot be fulfilled on services \"api\": the object has been modified; please apply your changes to the latest version and try again","reason":"Conflict","details":{"name":"api","kind":"services"},"code":409}`
	broken        = `{"status":"Failure","message":"etcdserver: request timed out","code":500}`
	managedField  = `{"status":"Failure","message":"Apply failed with 2 conflicts: conflict with \"kubectl\" using apps/v1: .spec.replicas\nconflicts with \"hpa\" using autoscaling/v2:\n- .spec.template","reason":"Conflict","details":{"causes":[{"reason":"FieldManagerConflict","message":"conflict with \"kubectl\" using apps/v1","field":".spec.replicas"},{"reason":"FieldManagerConflict","message":"conflict with \"hpa\" with subresource \"scale\" using autoscaling/v2","field":".spec.template"}]},"code":409}`
	strangeCause  = `{"status":"Failure","message":"Apply failed","reason":"Conflict","details":{"causes":[{"reason":"FieldManagerConflict","message":"?","field":".spec"},{"reason":"FieldValueInvalid","message":"no","field":".x"}]},"code":409}`
)

func TestUnreachable(t *testing.T) {
	for _, c := range []struct {
		name, text string
		kind       fault.Kind
		lacks      string // of the hint
	}{
		{"quota", quotaUsed, fault.Failed, "role"},
		{"pod security", podSecurity, fault.Failed, "role"},
		{"webhook", webhookSaysNo, fault.Failed, "role"},
		{"policy", policySaysNo, fault.Failed, "role"},
		{"limit range", limitRange, fault.Failed, "role"},
		{"immutable", invalidField, fault.Failed, "role"},
		{"no right", noRight, fault.Denied, "log in"},
		{"not known", whoAreYou, fault.Denied, "role"},
		{"not found", gone404, fault.NotFound, "role"},
		{"modified", modified, fault.Conflict, "role"},
		{"server trouble", broken, fault.Unavailable, "role"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := said(t, c.text)
			got := unreachable("apply Deployment api", err)
			if !fault.Is(got, c.kind) || !strings.Contains(got.Error(), "apply Deployment api") {
				t.Errorf("%v is %s, want %s", got, fault.KindOf(got), c.kind)
			}
			var f *fault.Error
			if !errors.As(got, &f) || strings.Contains(fmt.Sprintf("%+v", *f), c.lacks) {
				t.Errorf("%+v speaks of %q", f, c.lacks)
			}
			if !errors.Is(got, err) {
				t.Error("what the server said is lost")
			}
			if of := fault.IsInfrastructure(got); of != (c.name == "not known" || c.name == "server trouble") {
				t.Errorf("trouble of the place: %v", of)
			}
			if again := unreachable("again", got); !errors.Is(again, got) || again.Error() != got.Error() {
				t.Errorf("explained twice: %v", again)
			}
		})
	}
	if err := unreachable("x", nil); err != nil {
		t.Errorf("without an error: %v", err)
	}
	for _, err := range []error{context.Canceled, fmt.Errorf("get: %w", context.DeadlineExceeded)} {
		if got := unreachable("x", err); !errors.Is(got, err) || fault.KindOf(got) == fault.Unavailable {
			t.Errorf("%v became %v", err, got)
		}
	}
	if got := unreachable("x", errors.New("dial tcp: no route to host")); !fault.Is(got, fault.Unavailable) {
		t.Errorf("no answer: %v", got)
	}
}

func TestConflicting(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"managers", managedField, ".spec.replicas is managed by kubectl, .spec.template is managed by hpa"},
		{"strange", strangeCause, ".spec is managed by another manager"},
		{"modified", modified, ""},
		{"another refusal", invalidField, ""},
		{"without details", `{"status":"Failure","reason":"Conflict","code":409}`, ""},
	} {
		err := fmt.Errorf("apply: %w", said(t, c.text))
		if got := conflicting(err); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if got := conflicting(errors.New("refused")); got != "" {
		t.Errorf("no answer of the API: %q", got)
	}
}

func TestExplainApply(t *testing.T) {
	o, c := deploymentWith(t, "{}"), new(cluster)
	o.SetNamespace("ns")
	for _, tc := range []struct {
		name, text string
		kind       fault.Kind
		hint       string
	}{
		{"managers", managedField, fault.Conflict, "take_over: true"},
		{"immutable", invalidField, fault.Failed, "another name"},
		{"no namespace", gone404, fault.NotFound, "kubectl create namespace ns"},
		{"no right", noRight, fault.Denied, "docs/kubernetes-role.yaml"},
	} {
		err := c.explainApply(o, said(t, tc.text))
		var f *fault.Error
		if !fault.Is(err, tc.kind) || !errors.As(err, &f) || !strings.Contains(fmt.Sprintf("%+v", *f), tc.hint) {
			t.Errorf("%s: %+v; want %s with %q", tc.name, f, tc.kind, tc.hint)
		}
	}
}
