package kubernetes

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
)

// TestTarget_FindLatest: who runs an image by a tag that Slipway never pushes.
func TestTarget_FindLatest(t *testing.T) {
	const repository = "111122223333.dkr.ecr.ap-southeast-1.amazonaws.com/mlops/retail-api"
	digest := "@sha256:" + strings.Repeat("a", 64)
	s := fakeapi.New(t)
	put := func(path, kind, name, owner, spec, image string) {
		if kind, of, ok := strings.Cut(owner, " "); ok {
			owner = fmt.Sprintf("ownerReferences: [{kind: %s, name: %s, controller: true}]", kind, of)
		}
		s.Put(path+"/"+name, fakeapi.Object(t, fmt.Sprintf("{apiVersion: v1, kind: %s, metadata: {name: %s, %s}, %s}", kind, name, owner, fmt.Sprintf(spec, image))))
	}
	const apps, batch, core = "/apis/apps/v1/namespaces/ns/", "/apis/batch/v1/namespaces/ns/", "/api/v1/namespaces/ns/"
	const template, jobTemplate, pod = "spec: {template: {spec: {containers: [{image: proxy}, {image: %q}]}}}", "spec: {jobTemplate: {spec: {template: {spec: {containers: [{image: %q}]}}}}}", "spec: {initContainers: [{image: %q}]}"
	put(apps+"deployments", "Deployment", "retail-api", "", template, repository+digest)
	put(apps+"deployments", "Deployment", "pinned", "", template, repository+":latest"+digest)
	put(apps+"deployments", "Deployment", "other", "", template, "redis:latest")
	put(apps+"deployments", "Deployment", "batch", "", template, repository+":latest")
	put(apps+"replicasets", "ReplicaSet", "batch-1", "Deployment batch", template, repository+":latest")
	put(apps+"statefulsets", "StatefulSet", "store", "", template, repository)
	put(apps+"daemonsets", "DaemonSet", "build", "", template, repository+":build-1-abc")
	put(batch+"cronjobs", "CronJob", "nightly", "", jobTemplate, repository+":latest")
	put(batch+"jobs", "Job", "nightly-1", "CronJob nightly", template, repository+":latest")
	put(core+"pods", "Pod", "batch-1-x", "ReplicaSet batch-1", pod, repository+":latest")
	put(core+"pods", "Pod", "shell", "", pod, repository+":latest")
	target := New(Config{})
	target.conn = s.Client()
	got, err := target.FindLatest(t.Context(), repository)
	if diff := cmp.Diff([]string{"CronJob nightly", "Deployment batch", "Pod shell", "StatefulSet store"}, got); err != nil || diff != "" {
		t.Errorf("error = %v (-want +got):\n%s", err, diff)
	}
	put(core+"pods", "Pod", "store-0", "StatefulSet store", pod, repository)
	if target.conn, err = client.New(&rest.Config{Host: "http://api.test", Transport: ownRole{s}}, "ns", "namespace ns"); err != nil {
		t.Fatal(err)
	}
	got, err = target.FindLatest(t.Context(), repository)
	if diff := cmp.Diff([]string{"Deployment batch", "Pod shell", "StatefulSet store"}, got); err != nil || diff != "" {
		t.Errorf("with a role, error = %v (-want +got):\n%s", err, diff)
	}
}

// ownRole is a server with the role of docs/kubernetes-role.yaml: some kinds may not be
// listed.
type ownRole struct{ *fakeapi.Server }

func (r ownRole) RoundTrip(req *http.Request) (*http.Response, error) {
	for _, kind := range []string{"statefulsets", "daemonsets", "cronjobs", "jobs"} {
		if strings.HasSuffix(req.URL.Path, "/"+kind) {
			body := `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403, "message": "` + kind + ` is forbidden"}`
			return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
		}
	}
	return r.Server.RoundTrip(req)
}
