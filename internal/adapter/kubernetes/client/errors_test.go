package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/fault"
)

// statusError reads an API server's error as it comes over the wire.
func statusError(t testing.TB, text string) error {
	t.Helper()
	var s metav1.Status
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	return &apierrors.StatusError{ErrStatus: s}
}

// Errors of API servers.
const (
	quotaExceeded     = `{"status":"Failure","message":"pods \"api-1\" is forbidden: exceeded quota: small, requested: pods=1, used: pods=4, limited: pods=4","reason":"Forbidden","details":{"name":"api-1","kind":"pods"},"code":403}`
	podSecurity       = `{"status":"Failure","message":"pods \"api\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != true","reason":"Forbidden","code":403}`
	webhookDenied     = `{"status":"Failure","message":"admission webhook \"validate.kyverno.svc\" denied the request: no latest tags","code":400}`
	policyDenied      = `{"status":"Failure","message":"deployments.apps \"api\" is forbidden: ValidatingAdmissionPolicy 'team' with binding 'team' denied request: failed expression: has(object.metadata.labels.team)","reason":"Invalid","code":422}`
	limitRange        = `{"status":"Failure","message":"pods \"api\" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi","reason":"Forbidden","code":403}`
	forbidden         = `{"status":"Failure","message":"deployments.apps \"api\" is forbidden: User \"system:serviceaccount:ns:slipway\" cannot patch resource \"deployments\" in API group \"apps\" in the namespace \"ns\"","reason":"Forbidden","details":{"name":"api","group":"apps","kind":"deployments"},"code":403}`
	unauthorized      = `{"status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}`
	namespaceNotFound = `{"status":"Failure","message":"namespaces \"ns\" not found","reason":"NotFound","details":{"name":"ns","kind":"namespaces"},"code":404}`
	immutableField    = `{"status":"Failure","message":"Deployment.apps \"api\" is invalid: spec.selector: Invalid value: {}: field is immutable","reason":"Invalid","details":{"name":"api","group":"apps","kind":"Deployment"},"code":422}`
	modified          = `{"status":"Failure","message":"Operation cannot be fulfilled on services \"api\": the object has been modified; please apply your changes to the latest version and try again","reason":"Conflict","details":{"name":"api","kind":"services"},"code":409}`
	serverError       = `{"status":"Failure","message":"etcdserver: request timed out","code":500}`
	managedField      = `{"status":"Failure","message":"Apply failed with 2 conflicts: conflict with \"kubectl\" using apps/v1: .spec.replicas\nconflicts with \"hpa\" using autoscaling/v2:\n- .spec.template","reason":"Conflict","details":{"causes":[{"reason":"FieldManagerConflict","message":"conflict with \"kubectl\" using apps/v1","field":".spec.replicas"},{"reason":"FieldManagerConflict","message":"conflict with \"hpa\" with subresource \"scale\" using autoscaling/v2","field":".spec.template"}]},"code":409}`
	unknownManager    = `{"status":"Failure","message":"Apply failed","reason":"Conflict","details":{"causes":[{"reason":"FieldManagerConflict","message":"?","field":".spec"},{"reason":"FieldValueInvalid","message":"no","field":".x"}]},"code":409}`
)

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		name, text string
		kind       fault.Kind
		lacks      string // of the hint
	}{
		{"quota", quotaExceeded, fault.Failed, "role"},
		{"pod security", podSecurity, fault.Failed, "role"},
		{"webhook", webhookDenied, fault.Failed, "role"},
		{"policy", policyDenied, fault.Failed, "role"},
		{"limit range", limitRange, fault.Failed, "role"},
		{"immutable", immutableField, fault.Failed, "role"},
		{"forbidden", forbidden, fault.Denied, "log in"},
		{"unauthorized", unauthorized, fault.Denied, "role"},
		{"not found", namespaceNotFound, fault.NotFound, "role"},
		{"modified", modified, fault.Conflict, "role"},
		{"server error", serverError, fault.Unavailable, "role"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := statusError(t, c.text)
			got := Explain("apply Deployment api", err)
			if !fault.Is(got, c.kind) || !strings.Contains(got.Error(), "apply Deployment api") {
				t.Errorf("error = %v of kind %s, want %s", got, fault.KindOf(got), c.kind)
			}
			var f *fault.Error
			if !errors.As(got, &f) || strings.Contains(fmt.Sprintf("%+v", *f), c.lacks) {
				t.Errorf("error = %+v, want none with %q", f, c.lacks)
			}
			if !errors.Is(got, err) {
				t.Error("the server's error is not the cause")
			}
			if infra := fault.IsInfrastructure(got); infra != (c.name == "unauthorized" || c.name == "server error") {
				t.Errorf("IsInfrastructure = %v", infra)
			}
			if again := Explain("again", got); !errors.Is(again, got) || again.Error() != got.Error() {
				t.Errorf("explained twice: %v", again)
			}
		})
	}
	if err := Explain("x", nil); err != nil {
		t.Errorf("Explain(nil) = %v", err)
	}
	for _, err := range []error{context.Canceled, fmt.Errorf("get: %w", context.DeadlineExceeded)} {
		if got := Explain("x", err); !errors.Is(got, err) || fault.KindOf(got) == fault.Unavailable {
			t.Errorf("Explain(%v) = %v, want it unchanged", err, got)
		}
	}
	if got := Explain("x", errors.New("dial tcp: no route to host")); !fault.Is(got, fault.Unavailable) {
		t.Errorf("error = %v, want %s", got, fault.Unavailable)
	}
}

func TestConflictingFields(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"managers", managedField, ".spec.replicas is managed by kubectl, .spec.template is managed by hpa"},
		{"strange", unknownManager, ".spec is managed by another manager"},
		{"modified", modified, ""},
		{"another refusal", immutableField, ""},
		{"without details", `{"status":"Failure","reason":"Conflict","code":409}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := fmt.Errorf("apply: %w", statusError(t, c.text))
			if got := ConflictingFields(err); got != c.want {
				t.Errorf("fields = %q, want %q", got, c.want)
			}
		})
	}
	if got := ConflictingFields(errors.New("refused")); got != "" {
		t.Errorf("fields of an error of another kind = %q", got)
	}
}

func TestExplainApply(t *testing.T) {
	o, c := new(unstructured.Unstructured), new(Client)
	o.SetKind("Deployment")
	o.SetName("api")
	o.SetNamespace("ns")
	for _, tc := range []struct {
		name, text string
		kind       fault.Kind
		hint       string
	}{
		{"managers", managedField, fault.Conflict, "take_over: true"},
		{"immutable", immutableField, fault.Failed, "rename the object"},
		{"no namespace", namespaceNotFound, fault.NotFound, "kubectl create namespace ns"},
		{"forbidden", forbidden, fault.Denied, "docs/kubernetes-role.yaml"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := c.ExplainApply(o, statusError(t, tc.text))
			var f *fault.Error
			if !fault.Is(err, tc.kind) || !errors.As(err, &f) || !strings.Contains(fmt.Sprintf("%+v", *f), tc.hint) {
				t.Errorf("error = %+v, want %s with %q", f, tc.kind, tc.hint)
			}
		})
	}
}

// TestExplain_Unreachable: the request did not get so far, so its URL is no help.
func TestExplain_Unreachable(t *testing.T) {
	refused := &url.Error{
		Op: "Get", URL: "https://10.0.0.1/api/v1/namespaces/prod/configmaps?labelSelector=x",
		Err: &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 443}, Err: syscall.ECONNREFUSED},
	}
	err := Explain("list configmaps in namespace prod", refused)
	const want = "list configmaps in namespace prod: dial tcp 10.0.0.1:443: connection refused"
	if err.Error() != want || !fault.Is(err, fault.Unavailable) || !fault.IsInfrastructure(err) || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("error = %v, want %q, a failure of the infrastructure", err, want)
	}
}
