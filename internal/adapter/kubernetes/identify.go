package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/wait"
)

// Identify proves it by the pods: those that an address of Stage is forwarded to, or
// all endpoints of the Services, are ready pods of the release that run its image.
func (t *Target) Identify(ctx context.Context, o port.DeployRequest, url string) (port.Proof, error) {
	c, err := t.client(ctx)
	if err != nil {
		return port.Proof{}, err
	}
	if t.isForward(o, o.ID, url) {
		return identifyStaged(ctx, c, o)
	}
	proof, err := identifyStable(ctx, c, o)
	if err != nil || t.isForward(o, "", url) { // it looks up the pods for each connection
		return proof, err
	}
	at, err := readAddresses(ctx, c, o)
	if err != nil {
		return port.Proof{}, err
	}
	if err := at.checkStable(o, url); err != nil {
		return port.Proof{}, err
	}
	if err := at.checkIngresses(o, url); err != nil {
		return port.Proof{}, err
	}
	// The nodes follow the endpoints with a delay.
	if err := wait.Sleep(ctx, t.propagation(o, proof.State)); err != nil {
		return port.Proof{}, waitEnded(ctx, "wait until the nodes follow the endpoints of "+o.Service, err)
	}
	again, err := identifyStable(ctx, c, o)
	if err == nil && again.State != proof.State {
		err = fault.New(fault.Unavailable, "the pods behind the Services of %s are changing", o.Service)
	}
	return again, err
}

// addresses are what the addresses of a service are made of.
type addresses struct {
	services  []*unstructured.Unstructured
	ingresses []networkingv1.Ingress
	pods      []corev1.Pod
}

func readAddresses(ctx context.Context, c *client.Client, o port.DeployRequest) (addresses, error) {
	s, err := rollout.Read(ctx, c, o.Service, o.Environment)
	if err != nil {
		return addresses{}, err
	}
	ingresses, err := listIngresses(ctx, c, o.Service, o.Environment)
	if err != nil {
		return addresses{}, err
	}
	pods, err := rollout.ListPods(ctx, c, o.Service)
	return addresses{s.Services, ingresses, pods}, err
}

// checkStable makes sure that the URL is an address of the Services, as Observe returns
// them: not that of another release, or one that was closed.
func (a addresses) checkStable(o port.DeployRequest, url string) error {
	ingresses := ingressEndpoints(a.ingresses)
	for _, object := range a.services {
		svc, err := client.As[corev1.Service](object)
		if err != nil {
			return err
		}
		for _, p := range svc.Spec.Ports { // which one users request depends on the pods, and these change
			svc.Spec.Ports = []corev1.ServicePort{p}
			known := append(endpoints(svc, ingresses, nil), clusterEndpoint(svc, nil))
			for _, pod := range a.pods { // any node has the node port
				known = append(known, endpoints(svc, nil, []corev1.Pod{pod})...)
			}
			if slices.ContainsFunc(known, func(e endpoint) bool { return e.url == url }) {
				return nil
			}
		}
	}
	return fault.New(fault.Failed, "%s is not an address of %s in %s", url, o.Service, o.Environment)
}

// isForward reports whether the URL is the local address for a release, or for the
// Services if id is empty.
func (t *Target) isForward(o port.DeployRequest, id delivery.ReleaseID, url string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, ok := t.forwarders[addressKey(o.Service, o.Environment, id)]
	return ok && f.URL() == url
}

// identifyStaged proves it for the pods to which requests are forwarded by name.
func identifyStaged(ctx context.Context, c *client.Client, o port.DeployRequest) (port.Proof, error) {
	c.ForgetLists()
	pods, err := readyPodsOf(ctx, c, o.Service, o.ID)
	if err != nil {
		return port.Proof{}, err
	}
	return proofOf(pods, o)
}

// identifyStable proves it for the endpoints of the Services.
func identifyStable(ctx context.Context, c *client.Client, o port.DeployRequest) (port.Proof, error) {
	c.ForgetLists()
	s, err := rollout.Read(ctx, c, o.Service, o.Environment)
	if err != nil {
		return port.Proof{}, err
	}
	if s.Traffic != o.ID {
		return port.Proof{}, fault.New(fault.Failed, "the traffic goes to %q, not to %s", s.Traffic, o.ID)
	}
	pods, err := rollout.ListPods(ctx, c, o.Service)
	if err != nil {
		return port.Proof{}, err
	}
	var found []corev1.Pod
	for _, svc := range s.Services {
		if err := checkSelector(svc, pods, o.ID); err != nil {
			return port.Proof{}, err
		}
		behind, err := podsBehind(ctx, c, svc, pods, o)
		if err != nil {
			return port.Proof{}, err
		}
		found = append(found, behind...)
	}
	return proofOf(found, o)
}

// checkSelector makes sure that a Service selects the pods of no other release, now or
// after they were scaled up.
func checkSelector(svc *unstructured.Unstructured, pods []corev1.Pod, id delivery.ReleaseID) error {
	selected, _, _ := unstructured.NestedString(svc.Object, "spec", "selector", labels.Release)
	if selected == string(id) {
		return nil
	}
	for _, pod := range pods {
		if rollout.ReleaseOf(pod) != id && rollout.Selects([]*unstructured.Unstructured{svc}, pod) {
			return fault.New(fault.Failed, "%s also selects pod %s of %s", client.Title(svc), pod.Name, rollout.ReleaseOf(pod))
		}
	}
	return fault.New(fault.Unavailable, "the selector of %s does not name %s, so that pods of other releases may get its requests", client.Title(svc), id).
		Hint("deploy the release again: Slipway sets the selector")
}

// podsBehind returns the pods to which a Service sends requests, if all of them are the
// release's.
func podsBehind(ctx context.Context, c *client.Client, svc *unstructured.Unstructured, pods []corev1.Pod, o port.DeployRequest) ([]corev1.Pod, error) {
	parts, err := client.ListOf[discoveryv1.EndpointSlice](ctx, c, client.EndpointSlices(), discoveryv1.LabelServiceName+"="+svc.GetName())
	if err != nil {
		return nil, err
	}
	var found []corev1.Pod
	for _, part := range parts {
		for _, e := range part.Endpoints {
			if e.Conditions.Ready != nil && !*e.Conditions.Ready {
				continue
			}
			pod := podOf(e, pods)
			if pod == nil {
				return nil, fault.New(fault.Unavailable, "%s also sends requests to %s, which is not a pod of %s", client.Title(svc), endpointName(e), o.Service)
			}
			if id := rollout.ReleaseOf(*pod); id != o.ID {
				return nil, fault.New(fault.Failed, "%s also sends requests to pod %s of %s", client.Title(svc), pod.Name, id)
			}
			found = append(found, *pod)
		}
	}
	if len(found) == 0 {
		return nil, fault.New(fault.Unavailable, "%s has no ready endpoint", client.Title(svc))
	}
	return found, nil
}

// podOf returns the pod of an endpoint, or nil.
func podOf(e discoveryv1.Endpoint, pods []corev1.Pod) *corev1.Pod {
	ref := e.TargetRef
	if ref == nil || ref.Kind != "Pod" {
		return nil
	}
	for i := range pods {
		if pods[i].Name == ref.Name && (ref.UID == "" || ref.UID == pods[i].UID) {
			return &pods[i]
		}
	}
	return nil
}

func endpointName(e discoveryv1.Endpoint) string {
	if ref := e.TargetRef; ref != nil {
		return ref.Kind + " " + ref.Name
	}
	return strings.Join(e.Addresses, ", ")
}

// proofOf is the proof for these pods, if they run the release's image.
func proofOf(pods []corev1.Pod, o port.DeployRequest) (port.Proof, error) {
	if len(pods) == 0 {
		return port.Proof{}, fault.New(fault.Unavailable, "no pod of %s is ready", o.ID)
	}
	var names, ids []string
	for _, pod := range pods {
		if err := checkImage(pod, o.Release.Image.Digest); err != nil {
			return port.Proof{}, err
		}
		names, ids = append(names, pod.Name), append(ids, pod.Name+"/"+string(pod.UID))
	}
	slices.Sort(names)
	slices.Sort(ids)
	names, ids = slices.Compact(names), slices.Compact(ids)
	return port.Proof{
		Method: port.ProofByPod, State: string(o.ID) + " " + strings.Join(ids, " "),
		Detail: fmt.Sprintf("%s with image %s", strings.Join(names, ", "), o.Release.Image.Digest.Short()),
	}, nil
}

// checkImage makes sure that one of a pod's containers runs the image. A node that
// reports an ID of its own instead of a digest is believed if the pod pins the digest.
func checkImage(pod corev1.Pod, digest delivery.Digest) error {
	var running []string
	for _, s := range pod.Status.ContainerStatuses {
		pinned := slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool {
			return c.Name == s.Name && strings.HasSuffix(c.Image, "@"+string(digest))
		})
		if strings.HasSuffix(s.ImageID, string(digest)) || pinned && !strings.Contains(s.ImageID, "@") {
			return nil
		}
		running = append(running, s.ImageID)
	}
	return fault.New(fault.Unavailable, "pod %s does not report image %s but %s", pod.Name, digest.Short(), strings.Join(running, ", "))
}

// checkIngresses makes sure that an address of an Ingress leads to the Services of the
// release only.
func (a addresses) checkIngresses(o port.DeployRequest, url string) error {
	for _, i := range a.ingresses {
		if !slices.ContainsFunc(endpointsOfIngress(i), func(e endpoint) bool { return e.url == url }) {
			continue
		}
		for _, backend := range backends(i) {
			known := func(svc *unstructured.Unstructured) bool {
				return backend.Service != nil && svc.GetName() == backend.Service.Name
			}
			if !slices.ContainsFunc(a.services, known) {
				return fault.New(fault.Unavailable, "Ingress %s also leads to others than the Services of %s", i.Name, o.Service)
			}
		}
	}
	return nil
}

func backends(i networkingv1.Ingress) []networkingv1.IngressBackend {
	var all []networkingv1.IngressBackend
	if i.Spec.DefaultBackend != nil {
		all = append(all, *i.Spec.DefaultBackend)
	}
	for _, rule := range i.Spec.Rules {
		if rule.HTTP != nil {
			for _, path := range rule.HTTP.Paths {
				all = append(all, path.Backend)
			}
		}
	}
	return all
}
