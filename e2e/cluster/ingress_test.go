//go:build e2e && linux

package cluster

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
)

// nowhereRoutes lead to a Service without pods.
const nowhereRoutes = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: users}
spec:
  gatewayClassName: CLASS
  listeners: [{name: web, protocol: HTTP, port: 80}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: nowhere}
spec:
  parentRefs: [{name: users}]
  rules:
    - matches: [{path: {type: PathPrefix, value: /nowhere}}]
      backendRefs: [{name: nowhere, port: 80}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: nowhere}
spec:
  ingressClassName: CLASS
  rules:
    - http: {paths: [{path: /other, pathType: Prefix, backend: {service: {name: nowhere, port: {number: 80}}}}]}
---
apiVersion: v1
kind: Service
metadata: {name: nowhere}
spec: {selector: {app: nowhere}, ports: [{port: 80}]}
`

// nowhere is the namespace of what the controller serves.
const nowhere = "slipway-ingress"

// A controller serves Ingresses and HTTPRoutes at an address of its own, also in a
// cluster that was started elsewhere, and leaves nothing of itself behind.
func TestStartIngress(t *testing.T) {
	var c *Cluster
	if path := os.Getenv("KUBECONFIG"); path != "" {
		c = Existing(path)
	} else {
		c = startCluster(t)
	}
	kubectl(t, c, "create", "namespace", nowhere)
	t.Cleanup(func() {
		_, err := c.Kubectl(context.Background(), "delete", "namespace", nowhere, "--wait=false")
		must(t, err)
	})
	i, err := c.StartIngress(t.Context(), nowhere, Config{Log: t.Output()})
	if errors.Is(err, ErrUnsupported) {
		t.Skip(err)
	}
	must(t, err)
	stop := sync.OnceValue(i.Stop)
	t.Cleanup(func() { _ = stop() }) // after a failure
	_, err = c.KubectlInput(t.Context(), strings.ReplaceAll(nowhereRoutes, "CLASS", i.Class), "-n", nowhere, "apply", "-f", "-")
	must(t, err)
	for _, resource := range []struct{ name, path string }{
		{"gateway", "jsonpath={.items[0].status.addresses[0].value}"},
		{"ingress", "jsonpath={.items[0].status.loadBalancer.ingress[0].ip}"},
	} {
		eventually(t, resource.name+" to have the controller's address", func() string {
			return kubectl(t, c, "-n", nowhere, "get", resource.name, "-o", resource.path)
		}, i.IP)
	}
	// The route's Service has no pods, so it is the controller that responds.
	eventually(t, "the route", func() string { return httpGet("http://" + i.IP + "/nowhere") }, "no available server")
	if logs := i.Logs(); !strings.Contains(logs, "traefik") {
		t.Errorf("Logs = %q, want lines of traefik", logs)
	}
	must(t, stop())
	if left := kubectl(t, c, "get", "ingressclasses,gatewayclasses", "-o", "name"); strings.Contains(left, i.Class+"\n") {
		t.Errorf("classes left: %s", left)
	}
	if out, _ := c.Command("ip", "addr", "show", "dev", "eth0").Output(); strings.Contains(string(out), i.IP+"/") {
		t.Errorf("address %s is left:\n%s", i.IP, out)
	}
}
