package kubernetes

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
)

var updateChecks = flag.Bool("update-checks", false, "write the golden files of checks")

// cannedAPI answers by path.
type cannedAPI map[string]string

// RoundTrip implements http.RoundTripper.
func (a cannedAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	text, ok := a[r.URL.Path]
	status := http.StatusOK
	switch {
	case !ok:
		status, text = 404, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404, "message": "not found"}`
	case strings.Contains(text, `"Forbidden"`):
		status = 403
	case strings.Contains(text, `"Unauthorized"`):
		status = 401
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(text)), Request: r, Header: http.Header{"Content-Type": {"application/json"}}}, nil
}

const (
	unauthorizedStatus = `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Unauthorized", "code": 401, "message": "Unauthorized"}`
	deniedPull         = `failed to pull image: unexpected status from HEAD request: 403 Forbidden`
)

func forbidden(resource, in string) string {
	return fmt.Sprintf(`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403, "message": "%s is forbidden: User \"deploy\" cannot list resource \"%s\" in API group \"\"%s"}`, resource, resource, in)
}

func nodeList(architectures ...string) string {
	var items []string
	for i, a := range architectures {
		items = append(items, fmt.Sprintf(`{"metadata": {"name": "n%d"}, "status": {"nodeInfo": {"operatingSystem": "linux", "architecture": %q}}}`, i, a))
	}
	return `{"kind": "NodeList", "apiVersion": "v1", "items": [` + strings.Join(items, ",") + `]}`
}

func pullingPod(image, message string) string {
	return fmt.Sprintf(`{"kind": "PodList", "apiVersion": "v1", "items": [{"metadata": {"name": "api-1", "namespace": "mlops"}, "spec": {"nodeName": "n0"}, "status": {"containerStatuses": [{"image": %q, "state": {"waiting": {"reason": "ErrImagePull", "message": %q}}}]}}]}`, image, message)
}

const (
	checkedNodes, checkedPods, checkedDeployments = "/api/v1/nodes", "/api/v1/namespaces/mlops/pods", "/apis/apps/v1/namespaces/mlops/deployments"
	ownImage                                      = "111122223333.dkr.ecr.ap-southeast-1.amazonaws.com/mlops/retail-api@sha256:aa"
)

func goodAPI() cannedAPI {
	return cannedAPI{
		"/version":         `{"major": "1", "minor": "34", "gitVersion": "v1.34.2-eks-1"}`,
		"/apis":            `{"kind": "APIGroupList", "groups": [{"name": "metrics.k8s.io"}, {"name": "elbv2.k8s.aws"}]}`,
		"/api":             `{"kind": "APIVersions", "versions": ["v1"]}`,
		checkedDeployments: `{"kind": "DeploymentList", "apiVersion": "apps/v1", "items": []}`,
		checkedNodes:       nodeList("amd64", "amd64"),
		checkedPods:        `{"kind": "PodList", "apiVersion": "v1", "items": []}`,
	}
}

// TestTarget_Checks: what is said of each trouble, and what mends it.
func TestTarget_Checks(t *testing.T) {
	for _, c := range []struct {
		name   string
		plain  bool // no cluster of EKS
		change func(cannedAPI)
	}{
		{name: "good"},
		{name: "good-kubernetes", plain: true},
		{name: "without-addons", change: func(a cannedAPI) { a["/apis"] = `{"kind": "APIGroupList", "groups": []}` }},
		{name: "unauthorized-entry", change: func(a cannedAPI) {
			for path := range a {
				a[path] = unauthorizedStatus
			}
		}},
		{name: "unauthorized-kubernetes", plain: true, change: func(a cannedAPI) {
			for path := range a {
				a[path] = unauthorizedStatus
			}
		}},
		{name: "role-of-a-namespace", change: func(a cannedAPI) { a[checkedNodes] = forbidden("nodes", " at the cluster scope") }},
		{name: "no-role", change: func(a cannedAPI) { a[checkedPods] = forbidden("pods", ` in the namespace \"mlops\"`) }},
		{name: "arm64-nodes", change: func(a cannedAPI) { a[checkedNodes] = nodeList("arm64") }},
		{name: "mixed-nodes", change: func(a cannedAPI) { a[checkedNodes] = nodeList("arm64", "amd64") }},
		{name: "node-role-without-ecr", change: func(a cannedAPI) { a[checkedPods] = pullingPod(ownImage, deniedPull) }},
		{name: "missing-image", change: func(a cannedAPI) { a[checkedPods] = pullingPod("redis:none", "manifest unknown") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			api := goodAPI()
			if c.change != nil {
				c.change(api)
			}
			target := New(Config{})
			target.section.Namespace = "mlops"
			if !c.plain {
				target.section.ManagedCluster = ManagedCluster{Cluster: "mlops-retail-cluster", AWS: extension.AWS{Region: "ap-southeast-1", Role: "arn:aws:iam::111122223333:role/deploy-prod"}}
			}
			var err error
			if target.conn, err = client.New(&rest.Config{Host: "http://api.test", Transport: api}, "mlops", "namespace mlops"); err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for _, check := range target.Checks(port.CheckRequest{Platforms: []string{"linux/amd64"}}) {
				r := check.Run(t.Context())
				fmt.Fprintf(&b, "%s: %s: %s\n", check.Name, r.State, r.Seen)
				if r.Mend != "" {
					fmt.Fprintf(&b, "  -> %s\n", r.Mend)
				}
				if (r.State == port.CheckOK) != (r.Mend == "") {
					t.Errorf("%s is %s, and to mend it is %q", check.Name, r.State, r.Mend)
				}
			}
			golden := filepath.Join("testdata", "checks", c.name+".txt")
			if *updateChecks {
				if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("(-want +got), renew it with -update-checks:\n%s", diff)
			}
		})
	}
}
