package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

var _ port.Checker = (*Target)(nil)

// Checks implements port.Checker.
func (t *Target) Checks(req port.CheckRequest) []port.Check {
	with := func(look func(context.Context, *client.Client) port.CheckResult) func(context.Context) port.CheckResult {
		return func(ctx context.Context) port.CheckResult {
			c, err := t.client(ctx)
			if err != nil {
				return t.explainCheck(ctx, err)
			}
			return look(ctx, c)
		}
	}
	checks := []port.Check{
		{Name: "cluster", Run: with(t.checkVersion)},
		{Name: "namespace", Run: with(t.checkNamespace)},
		{Name: "metrics-server", Run: with(t.checkMetrics)},
	}
	if t.section.Cluster != "" {
		checks = append(checks, port.Check{Name: "load balancer controller", Run: with(t.checkLoadBalancers)})
	}
	return append(checks,
		port.Check{Name: "platform of nodes", Run: with(func(ctx context.Context, c *client.Client) port.CheckResult {
			return t.checkPlatform(ctx, c, req.Platforms)
		})},
		port.Check{Name: "image pulls", Run: with(t.checkPulls)},
	)
}

func okay(seen string) port.CheckResult { return port.CheckResult{State: port.CheckOK, Seen: seen} }

// explainCheck is for what the cluster did not answer, or refused.
func (t *Target) explainCheck(ctx context.Context, err error) port.CheckResult {
	switch {
	case ctx.Err() != nil:
		return port.CheckResult{State: port.CheckUnknown, Seen: "the cluster did not answer in time", Mend: "check that its API server is reachable from here: `kubectl version`"}
	case t.section.Cluster != "" && isUnauthorized(err):
		return port.CheckResult{State: port.CheckFailed, Seen: "the cluster does not know who asks: Unauthorized", Mend: t.entryCommand()}
	case fault.Is(err, fault.Denied), fault.Is(err, fault.NotFound), fault.Is(err, fault.Invalid), fault.Is(err, fault.Unavailable):
		return port.CheckResult{State: port.CheckFailed, Seen: err.Error(), Mend: mendOf(err)}
	}
	return port.CheckResult{State: port.CheckUnknown, Seen: err.Error(), Mend: mendOf(err)}
}

func mendOf(err error) string {
	if hint := fault.HintOf(err); hint != "" {
		return hint
	}
	return "check with `kubectl get pods`"
}

func isUnauthorized(err error) bool {
	var f *fault.Error
	return errors.As(err, &f) && fault.Is(err, fault.Denied) && strings.Contains(err.Error(), "authentication failed")
}

// entryCommand makes the access entry of whoever deploys.
func (t *Target) entryCommand() string {
	principal := t.section.Role
	if principal == "" {
		principal = "ROLE"
	}
	return fmt.Sprintf("aws eks create-access-entry --region %s --cluster-name %s --principal-arn %s --kubernetes-groups slipway:%s", t.section.Region, t.section.Cluster, principal, t.section.Namespace)
}

func (t *Target) checkVersion(ctx context.Context, c *client.Client) port.CheckResult {
	version, err := c.Version(ctx)
	if err != nil {
		return t.explainCheck(ctx, err)
	}
	return okay("Kubernetes " + version)
}

// checkNamespace reads what every deployment reads first.
func (t *Target) checkNamespace(ctx context.Context, c *client.Client) port.CheckResult {
	deployments, err := c.List(ctx, client.Deployments(), "")
	if err != nil {
		return t.explainCheck(ctx, err)
	}
	return okay(fmt.Sprintf("%s: %d Deployments can be read", c.Namespace(), len(deployments)))
}

func (t *Target) checkMetrics(ctx context.Context, c *client.Client) port.CheckResult {
	return t.checkGroup(ctx, c, "metrics.k8s.io", "no metrics-server: autoscalers by CPU or memory don't work",
		"kubectl apply -f https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml")
}

func (t *Target) checkLoadBalancers(ctx context.Context, c *client.Client) port.CheckResult {
	return t.checkGroup(ctx, c, "elbv2.k8s.aws", "no AWS Load Balancer Controller: an Ingress of class alb gets no address (EKS Auto Mode has its own)",
		fmt.Sprintf("helm upgrade --install aws-load-balancer-controller eks/aws-load-balancer-controller -n kube-system --set clusterName=%s", t.section.Cluster))
}

// checkGroup looks for an API group: every account may see them.
func (t *Target) checkGroup(ctx context.Context, c *client.Client, group, without, command string) port.CheckResult {
	groups, err := c.Groups(ctx)
	switch {
	case err != nil:
		return t.explainCheck(ctx, err)
	case groups[group]:
		return okay(group)
	}
	return port.CheckResult{State: port.CheckWarning, Seen: without, Mend: command}
}

// checkPlatform compares the image's platforms with those of the nodes.
func (t *Target) checkPlatform(ctx context.Context, c *client.Client, platforms []string) port.CheckResult {
	nodes, err := client.ListOf[corev1.Node](ctx, c, client.Nodes(), "")
	if fault.Is(err, fault.Denied) && !isUnauthorized(err) { // a role within one namespace may not
		return port.CheckResult{State: port.CheckUnknown, Seen: "this role may not list nodes", Mend: "kubectl get nodes -L kubernetes.io/arch"}
	}
	if err != nil {
		return t.explainCheck(ctx, err)
	}
	count := map[string]int{}
	for _, n := range nodes {
		count[n.Status.NodeInfo.OperatingSystem+"/"+n.Status.NodeInfo.Architecture]++
	}
	var seen, runs []string
	for _, p := range slices.Sorted(maps.Keys(count)) {
		if seen = append(seen, fmt.Sprintf("%d %s", count[p], p)); slices.Contains(platforms, p) {
			runs = append(runs, p)
		}
	}
	text := "nodes: " + strings.Join(seen, ", ")
	switch {
	case len(nodes) == 0: // Fargate and Auto Mode start them for pods
		return okay("no nodes yet")
	case len(platforms) == 0:
		return okay(text)
	case len(runs) == 0:
		return port.CheckResult{State: port.CheckFailed, Seen: text + "; the image is for " + strings.Join(platforms, ", "),
			Mend: "build for the nodes: image: {build: {platforms: [" + strings.Join(slices.Sorted(maps.Keys(count)), ", ") + "]}}"}
	case len(runs) < len(count):
		return port.CheckResult{State: port.CheckWarning, Seen: text + "; the image is for " + strings.Join(platforms, ", ") + " only",
			Mend: "build for all nodes, or set nodeSelector: {kubernetes.io/arch: " + strings.TrimPrefix(runs[0], "linux/") + "} in the manifests"}
	}
	return okay(text + "; the image is for " + strings.Join(platforms, ", "))
}

// checkPulls looks for pods that wait for their images. What a node may pull is its own
// role's matter, and seen only here.
func (t *Target) checkPulls(ctx context.Context, c *client.Client) port.CheckResult {
	pods, err := client.ListOf[corev1.Pod](ctx, c, client.Pods(), "")
	if err != nil {
		return t.explainCheck(ctx, err)
	}
	for _, p := range pods {
		for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
			if w := s.State.Waiting; w != nil && (w.Reason == "ErrImagePull" || w.Reason == "ImagePullBackOff") {
				return explainPull(p, s.Image, w.Message)
			}
		}
	}
	return okay("no pod waits for its image")
}

// deniedPulls are how ECR and the kubelet word that a node has no rights there.
var deniedPulls = []string{"no basic auth credentials", "403 Forbidden", "not authorized to perform: ecr:"}

func explainPull(p corev1.Pod, image, message string) port.CheckResult {
	r := port.CheckResult{State: port.CheckFailed, Seen: fmt.Sprintf("pod %s on node %s can't pull %s", p.Name, p.Spec.NodeName, image), Mend: "kubectl describe pod " + p.Name + " -n " + p.Namespace}
	isDenied := slices.ContainsFunc(deniedPulls, func(phrase string) bool { return strings.Contains(message, phrase) })
	if isDenied && strings.Contains(image, ".dkr.ecr.") {
		r.Seen += ": the node's role may not read ECR"
		r.Mend = "aws iam attach-role-policy --role-name NODE_ROLE --policy-arn arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly (on Fargate: the pod execution role)"
	}
	return r
}
