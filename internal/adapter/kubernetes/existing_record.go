package kubernetes

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/managedfields"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/render"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// findOthers finds the other objects that exist and that the release would replace,
// and what scales the workloads.
func (x *existing) findOthers(ctx context.Context) error {
	for _, o := range x.set.Others {
		if manifest.IsPersistent(o) || manifest.IsImmutable(o) || o.GetKind() == "Job" {
			continue
		}
		kind, err := x.client.KindOf(ctx, o.GroupVersionKind())
		if client.IsPrerequisiteMissing(err) {
			continue
		}
		if err != nil {
			return err
		}
		live, err := x.client.Get(ctx, kind, o.GetNamespace(), o.GetName())
		if err != nil {
			return err
		}
		switch {
		case live == nil || isOfSlipway(live):
		case live.GetKind() == "Secret":
			x.notes = append(x.notes, fmt.Sprintf("Secret %s is not part of release 0: values of Secrets are never recorded, and the new ones replace them", live.GetName()))
		default:
			x.objects = append(x.objects, live)
		}
	}
	return x.findAutoscalers(ctx)
}

func (x *existing) findAutoscalers(ctx context.Context) error {
	autoscalers, err := client.ListOf[autoscalingv2.HorizontalPodAutoscaler](ctx, x.client, client.Autoscalers(), "")
	x.scaled = map[string]string{}
	for _, h := range autoscalers {
		ref := h.Spec.ScaleTargetRef
		isTarget := func(d *unstructured.Unstructured) bool { return ref.Kind == "Deployment" && d.GetName() == ref.Name }
		if !slices.ContainsFunc(x.workloads, isTarget) {
			continue
		}
		x.scaled[ref.Name] = h.Name
		if !slices.ContainsFunc(x.objects, func(o *unstructured.Unstructured) bool {
			return o.GetKind() == "HorizontalPodAutoscaler" && o.GetName() == h.Name
		}) {
			x.notes = append(x.notes, fmt.Sprintf("HorizontalPodAutoscaler %s is not in the manifests: it stays as it is, and goes on scaling Deployment %s", h.Name, ref.Name))
		}
	}
	return err
}

// all returns the objects of release 0 in the order in which they are applied.
func (x *existing) all() []*unstructured.Unstructured {
	return slices.Concat(x.objects, x.services, x.workloads)
}

// isTaken reports whether the fields of a manager are taken over.
func (x *existing) isTaken(manager string) bool {
	return isTaken(manager, x.takeOver)
}

func isTaken(manager string, takeOver bool) bool {
	return managedfields.IsTool(manager) || takeOver && manager != labels.Manager && manager != managedfields.ControllerManager
}

// describe returns what serves as a release.
func (x *existing) describe(ctx context.Context) (port.Existing, error) {
	img, err := x.image()
	if err != nil {
		return port.Existing{}, err
	}
	out := port.Existing{Since: x.workloads[0].GetCreationTimestamp().Time}
	var bodies []map[string]any
	for _, live := range x.all() {
		recorded, err := x.record(live, img)
		if err != nil {
			return out, err
		}
		bodies = append(bodies, recorded.Object)
		out.Objects = append(out.Objects, port.ExistingObject{Kind: live.GetKind(), Name: live.GetName(), Managers: managedfields.Tools(live)})
	}
	text, err := json.Marshal(bodies)
	if err != nil {
		return out, fmt.Errorf("encode what serves: %w", err)
	}
	for _, d := range x.workloads {
		if at := d.GetCreationTimestamp().Time; at.Before(out.Since) {
			out.Since = at
		}
	}
	for _, pod := range x.pods {
		if readiness.PodReady(&pod) {
			out.Replicas++
		}
	}
	out.Release = delivery.Release{
		Schema: delivery.ReleaseForm, Service: x.request.Service, Image: img, Workload: delivery.Workload{Health: x.health()},
		Objects: string(text), Manifests: port.Rendered{Objects: string(text)}.Digest(),
	}
	out.Notes = append(x.notes, x.more()...)
	// A record that can't be applied again is no way back.
	_, err = manifest.New(port.DeployRequest{Service: x.request.Service, Environment: x.request.Environment, ID: "r-0", Release: out.Release}, manifest.Options{
		IsNamespaced: func(o *unstructured.Unstructured) bool { return client.IsNamespaced(o.GroupVersionKind()) },
	})
	return out, err
}

// record returns an object as people have set it, with the image by digest.
func (x *existing) record(live *unstructured.Unstructured, img delivery.Image) (*unstructured.Unstructured, error) {
	o, err := managedfields.Extract(live, x.isTaken)
	if err != nil {
		return nil, err
	}
	cleanMetadata(o, live.GetNamespace(), x)
	if !slices.Contains(x.workloads, live) {
		return o, nil
	}
	template, ok := render.PodTemplate(o)
	if !ok {
		return nil, x.refuse("%s has no pod template", client.Title(live))
	}
	spec, _ := template["spec"].(map[string]any)
	for _, field := range []string{"containers", "initContainers"} {
		list, _ := spec[field].([]any)
		for _, item := range list {
			c, _ := item.(map[string]any)
			if image, _ := c["image"].(string); image != "" && repositoryOf(image, x.registry) == img.Repository {
				c["image"] = img.String()
			}
		}
	}
	meta, _ := template["metadata"].(map[string]any)
	if err := unstructured.SetNestedField(meta, x.request.Service, "labels", labels.Service); err != nil {
		return nil, x.refuse("%s has no labels in its pod template", client.Title(live))
	}
	unstructured.RemoveNestedField(o.Object, "spec", "replicas")
	if replicas, ok, _ := unstructured.NestedInt64(live.Object, "spec", "replicas"); ok && x.scaled[live.GetName()] == "" {
		_ = unstructured.SetNestedField(o.Object, replicas, "spec", "replicas") // spec is a map: it has the template
	}
	return o, nil
}

// cleanMetadata removes what other tools note about themselves, and adds what every
// object of a release has.
func cleanMetadata(o *unstructured.Unstructured, namespace string, x *existing) {
	if namespace != x.client.Namespace() {
		o.SetNamespace(namespace)
	} else {
		unstructured.RemoveNestedField(o.Object, "metadata", "namespace")
	}
	annotations := o.GetAnnotations()
	maps.DeleteFunc(annotations, func(name, _ string) bool {
		return name == corev1.LastAppliedConfigAnnotation || strings.HasPrefix(name, "meta.helm.sh/") || strings.HasPrefix(name, "deployment.kubernetes.io/")
	})
	o.SetAnnotations(annotations)
	all := o.GetLabels()
	if all == nil {
		all = map[string]string{}
	}
	all[labels.ManagedBy] = labels.Manager
	if all[labels.PartOf] == "" {
		all[labels.PartOf] = x.request.Service
	}
	o.SetLabels(all)
}

// defaultHealthPath is where a service is checked unless its file names another path.
const defaultHealthPath = "/health"

// health returns the path by which what serves is checked: what it is asked for is
// not known, but what the kubelet asks it for is.
func (x *existing) health() string {
	c := x.container()
	number := rollout.PortOf(x.services, x.pods[0])
	for _, probe := range []*corev1.Probe{c.ReadinessProbe, c.LivenessProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path == "" {
			continue
		}
		if at := probe.HTTPGet.Port; at.StrVal != "" || at.IntValue() == number {
			return probe.HTTPGet.Path
		}
	}
	path := cmp.Or(x.request.Release.Workload.Health, defaultHealthPath)
	x.notes = append(x.notes, fmt.Sprintf("it has no HTTP probe: release 0 is checked at %s, like the new one", path))
	return path
}

// more returns notes about what belongs to the workloads and stays as it is.
func (x *existing) more() []string {
	var notes, refs []string
	for _, d := range x.workloads {
		if name := d.GetAnnotations()["meta.helm.sh/release-name"]; name != "" {
			notes = append(notes, fmt.Sprintf("Helm's release %s no longer manages %s: don't uninstall it, which would delete it", name, client.Title(d)))
		}
		refs = append(refs, references(d)...)
	}
	slices.Sort(refs)
	if refs = slices.Compact(refs); len(refs) > 0 {
		notes = append(notes, "release 0 uses "+strings.Join(refs, ", ")+": keep them for as long as you may roll back to it")
	}
	return notes
}

// references lists the ConfigMaps and Secrets that a Deployment's pods use.
func references(d *unstructured.Unstructured) (refs []string) {
	typed, err := client.As[struct {
		Spec struct {
			Template corev1.PodTemplateSpec `json:"template"`
		} `json:"spec"`
	}](d)
	if err != nil {
		return nil
	}
	add := func(kind, name string) {
		if name != "" {
			refs = append(refs, kind+" "+name)
		}
	}
	for _, v := range typed.Spec.Template.Spec.Volumes {
		if v.ConfigMap != nil {
			add("ConfigMap", v.ConfigMap.Name)
		}
		if v.Secret != nil {
			add("Secret", v.Secret.SecretName)
		}
	}
	for _, c := range slices.Concat(typed.Spec.Template.Spec.InitContainers, typed.Spec.Template.Spec.Containers) {
		for _, from := range c.EnvFrom {
			if from.ConfigMapRef != nil {
				add("ConfigMap", from.ConfigMapRef.Name)
			}
			if from.SecretRef != nil {
				add("Secret", from.SecretRef.Name)
			}
		}
		for _, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.ConfigMapKeyRef != nil {
				add("ConfigMap", e.ValueFrom.ConfigMapKeyRef.Name)
			}
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				add("Secret", e.ValueFrom.SecretKeyRef.Name)
			}
		}
	}
	return refs
}
