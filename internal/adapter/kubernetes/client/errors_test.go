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
	mustSpecify       = `{"status":"Failure","message":"pods \"api-1\" is forbidden: failed quota: small: must specify limits.memory for: api","reason":"Forbidden","code":403}`
	webhookAway       = `{"status":"Failure","message":"Internal error occurred: failed calling webhook \"v.example.com\": failed to call webhook: Post \"https://v.svc:443/\": dial tcp 10.0.0.9:443: connect: connection refused","reason":"InternalError","code":500}`
	claimsForbidden   = `{"status":"Failure","message":"persistentvolumeclaims \"data\" is forbidden: User \"system:serviceaccount:ns:slipway\" cannot patch resource \"persistentvolumeclaims\" in API group \"\" in the namespace \"ns\"","reason":"Forbidden","details":{"name":"data","kind":"persistentvolumeclaims"},"code":403}`
	otherNamespace    = `{"status":"Failure","message":"configmaps \"data\" is forbidden: User \"system:serviceaccount:ns:slipway\" cannot patch resource \"configmaps\" in API group \"\" in the namespace \"default\"","reason":"Forbidden","details":{"name":"data","kind":"configmaps"},"code":403}`
	listForbidden     = `{"status":"Failure","message":"jobs.batch is forbidden: User \"ci\" cannot list resource \"jobs\" in API group \"batch\" in the namespace \"ns\": requires one of [\"x\"] permission(s)","reason":"Forbidden","code":403}`
	clusterForbidden  = `{"status":"Failure","message":"customresourcedefinitions.apiextensions.k8s.io \"x\" is forbidden: User \"ci\" cannot patch resource \"customresourcedefinitions\" in API group \"apiextensions.k8s.io\" at the cluster scope","reason":"Forbidden","code":403}`
	escalation        = `{"status":"Failure","message":"roles.rbac.authorization.k8s.io \"x\" is forbidden: user \"ci\" (groups=[\"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"nodes\"], Verbs:[\"get\"]}","reason":"Forbidden","code":403}`
	otherRule         = `{"status":"Failure","message":"pods \"a\" is forbidden: no","reason":"Forbidden","code":403}`
	terminating       = `{"status":"Failure","message":"configmaps \"x\" is forbidden: unable to create new content in namespace ns because it is being terminated","reason":"Forbidden","details":{"causes":[{"reason":"NamespaceTerminating","message":"namespace ns is being terminated","field":"metadata.namespace"}]},"code":403}`
	resourceNotFound  = `{"status":"Failure","message":"the server could not find the requested resource","reason":"NotFound","code":404}`
	exists            = `{"status":"Failure","message":"leases.coordination.k8s.io \"x\" already exists","reason":"AlreadyExists","code":409}`
	undeclaredField   = `{"status":"Failure","message":"failed to create typed patch object (ns/api; apps/v1, Kind=Deployment): .spec.template.spec.containers[name=\"api\"].readynessProbe: field not declared in schema","code":500}`
	twoFields         = `{"status":"Failure","message":"failed to create typed patch object (ns/api; apps/v1, Kind=Deployment): errors:\n  .spec.template.spec.containers[name=\"api\"].prots: field not declared in schema\n  .spec.replicas: expected numeric (int or float), got string","code":500}`
	duplicateEntry    = `{"status":"Failure","message":"failed to create typed patch object (ns/api; apps/v1, Kind=Deployment): .spec.template.spec.containers[name=\"api\"].env: duplicate entries for key [name=\"A\"]","code":500}`
	strangeField      = `{"status":"Failure","message":"failed to create typed patch object (ns/api; apps/v1, Kind=Deployment): .spec.template.colour: field not declared in schema","code":500}`
	tooLarge          = `{"status":"Failure","message":"Request entity too large: limit is 3145728","reason":"RequestEntityTooLarge","code":413}`
	nodeAway          = `{"status":"Failure","message":"Internal error occurred: error dialing backend: dial tcp 10.0.0.7:10250: connect: connection refused","reason":"InternalError","code":500}`
	internalError     = `{"status":"Failure","message":"Internal error occurred: no idea","reason":"InternalError","code":500}`
	serverTimeout     = `{"status":"Failure","message":"The POST operation against services could not be completed at this time, please try again.","reason":"ServerTimeout","code":500}`
	tooManyRequests   = `{"status":"Failure","message":"Too many requests, please try again later.","reason":"TooManyRequests","code":429}`
	unavailableServer = `{"status":"Failure","message":"the server is currently unable to handle the request","reason":"ServiceUnavailable","code":503}`
	unsupportedMedia  = `{"status":"Failure","message":"the body of the request was in an unknown format","reason":"UnsupportedMediaType","code":415}`
	claimResized      = `{"status":"Failure","message":"persistentvolumeclaims \"data\" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize","reason":"Forbidden","code":403}`
	claimSpec         = `{"status":"Failure","message":"PersistentVolumeClaim \"data\" is invalid: spec: Forbidden: spec is immutable after creation except resources.requests","reason":"Invalid","code":422}`
	statefulSet       = `{"status":"Failure","message":"StatefulSet.apps \"db\" is invalid: spec: Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden","reason":"Invalid","code":422}`
	unknownManager    = `{"status":"Failure","message":"Apply failed","reason":"Conflict","details":{"causes":[{"reason":"FieldManagerConflict","message":"?","field":".spec"},{"reason":"FieldValueInvalid","message":"no","field":".x"}]},"code":409}`
)

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		name, text     string
		kind           fault.Kind
		infrastructure bool
		hint           string // part of it
		lacks          string // of the whole error
	}{
		{"quota", quotaExceeded, fault.Exhausted, true, "ResourceQuota", "role"},
		{"quota that wants limits", mustSpecify, fault.Failed, true, "set requests and limits", "role"},
		{"pod security", podSecurity, fault.Failed, false, "securityContext", "role"},
		{"webhook", webhookDenied, fault.Failed, false, "follow its message", "role"},
		{"webhook away", webhookAway, fault.Unavailable, true, "webhook of the cluster does not respond", "API server is running"},
		{"policy", policyDenied, fault.Failed, false, "follow its message", "role"},
		{"limit range", limitRange, fault.Denied, true, "LimitRange", "role"},
		{"immutable", immutableField, fault.Failed, false, "", "role"},
		{"forbidden", forbidden, fault.Denied, false, "{apiGroups: [apps], resources: [deployments], verbs: [get, list, watch, create, patch, delete]}", "log in"},
		{"claims", claimsForbidden, fault.Denied, false, `{apiGroups: [""], resources: [persistentvolumeclaims], verbs: [get, create, patch, delete]}`, "log in"},
		{"another verb", listForbidden, fault.Denied, false, "verbs: [get, create, patch, delete, list]", "log in"},
		{"cluster", clusterForbidden, fault.Denied, false, "ClusterRole", "namespace"},
		{"escalation", escalation, fault.Denied, true, "administrator", "grant it to"},
		{"another rule", otherRule, fault.Denied, false, "follow the message", "administrator"},
		{"unauthorized", unauthorized, fault.Denied, true, "log in", "role"},
		{"not found", namespaceNotFound, fault.NotFound, false, "", "role"},
		{"namespace ends", terminating, fault.Conflict, true, "being deleted", "role"},
		{"API not found", resourceNotFound, fault.NotFound, false, "kubectl api-resources", "role"},
		{"modified", modified, fault.Conflict, false, "", "role"},
		{"exists", exists, fault.Conflict, false, "", "role"},
		{"typo", undeclaredField, fault.Failed, false, "", "API server is running"},
		{"too large", tooLarge, fault.Failed, false, "1 MiB", "API server is running"},
		{"store", serverError, fault.Unavailable, true, "etcd", "role"},
		{"node away", nodeAway, fault.Unavailable, true, "kubectl get nodes", "role"},
		{"internal error", internalError, fault.Failed, true, "see its log", "running and reachable"},
		{"timeout", serverTimeout, fault.Unavailable, true, "running and reachable", "role"},
		{"too many requests", tooManyRequests, fault.Unavailable, true, "running and reachable", "role"},
		{"unavailable", unavailableServer, fault.Unavailable, true, "running and reachable", "role"},
		{"unlisted", unsupportedMedia, fault.Failed, false, "", "reachable"},
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
			if hint := fault.HintOf(got); !strings.Contains(hint, c.hint) || c.hint == "" && hint != "" {
				t.Errorf("hint = %q, want it to contain %q", hint, c.hint)
			}
			if !errors.Is(got, err) {
				t.Error("the server's error is not the cause")
			}
			if infra := fault.IsInfrastructure(got); infra != c.infrastructure {
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
	c := &Client{namespace: "ns", title: "namespace ns"}
	for _, tc := range []struct {
		name, text string
		object     string // "apps/v1 Deployment"
		kind       fault.Kind
		hint, what string // parts
	}{
		{"managers", managedField, "apps/v1 Deployment", fault.Conflict, "take_over: true", ".spec.replicas is managed by kubectl"},
		{"immutable", immutableField, "apps/v1 Deployment", fault.Failed, "rename the object", "field is immutable"},
		{"no namespace", namespaceNotFound, "apps/v1 Deployment", fault.NotFound, "kubectl create namespace ns", "namespace ns not found"},
		{"forbidden", forbidden, "apps/v1 Deployment", fault.Denied, "docs/kubernetes-role.yaml", "cannot patch resource"},
		{"namespace of another", otherNamespace, "v1 ConfigMap", fault.Denied, "remove metadata.namespace", "the manifest names namespace default, but the target's namespace is ns"},
		{"typo", undeclaredField, "apps/v1 Deployment", fault.Failed, "did you mean readinessProbe?", `rejected by the cluster: .spec.template.spec.containers[name="api"].readynessProbe: field not declared in schema`},
		{"two fields", twoFields, "apps/v1 Deployment", fault.Failed, "did you mean ports?", "; .spec.replicas: expected numeric"},
		{"duplicate", duplicateEntry, "apps/v1 Deployment", fault.Failed, "kubectl explain deployment", "duplicate entries"},
		{"strange field", strangeField, "apps/v1 Deployment", fault.Failed, "correct its name or its place", ".spec.template.colour"},
		{"typo in a foreign kind", undeclaredField, "example.com/v1 Widget", fault.Failed, "correct its name or its place", "readynessProbe"},
		{"claim that grows", claimResized, "v1 PersistentVolumeClaim", fault.Failed, "a claim can only grow", "resized"},
		{"claim", claimSpec, "v1 PersistentVolumeClaim", fault.Failed, "a claim can only grow", "immutable"},
		{"StatefulSet", statefulSet, "apps/v1 StatefulSet", fault.Failed, "rename the StatefulSet", "updates to statefulset"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := new(unstructured.Unstructured)
			version, kind, _ := strings.Cut(tc.object, " ")
			o.SetAPIVersion(version)
			o.SetKind(kind)
			o.SetName("api")
			o.SetNamespace("ns")
			cause := statusError(t, tc.text)
			err := c.ExplainApply(o, cause)
			if !fault.Is(err, tc.kind) || !strings.Contains(fault.HintOf(err), tc.hint) {
				t.Errorf("error = %v of kind %s with the hint %q, want %s with %q", err, fault.KindOf(err), fault.HintOf(err), tc.kind, tc.hint)
			}
			if !strings.Contains(err.Error(), tc.what) {
				t.Errorf("error = %v, want %q", err, tc.what)
			}
			if tc.name != "managers" && !errors.Is(err, cause) {
				t.Error("the server's error is not the cause")
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
