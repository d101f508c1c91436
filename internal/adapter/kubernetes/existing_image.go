package kubernetes

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// image returns the image that serves, by the digest that the pods report: a tag may
// mean something else by now.
func (x *existing) image() (img delivery.Image, err error) {
	img.Repository = repositoryOf(x.container().Image, x.registry)
	for _, pod := range x.pods {
		digest, err := x.digestIn(pod, img.Repository)
		if err != nil {
			return img, err
		}
		if digest != "" && img.Digest != "" && digest != img.Digest {
			return img, x.refuse("its pods run two versions of %s, %s and %s", img.Repository, img.Digest.Short(), digest.Short())
		}
		if digest != "" {
			img.Digest = digest
		}
	}
	return img, nil
}

// container returns the container that serves: the one of the release's repository, or
// else the one that takes the requests of the Services.
func (x *existing) container() corev1.Container {
	want := repositoryOf(x.request.Release.Image.Repository, "")
	pod := x.pods[0]
	for _, p := range x.pods {
		for _, c := range p.Spec.Containers {
			if repositoryOf(c.Image, x.registry) == want || repositoryOf(c.Image, "") == want {
				return c
			}
		}
	}
	number := rollout.PortOf(x.services, pod)
	for _, c := range pod.Spec.Containers {
		for _, p := range c.Ports {
			if int(p.ContainerPort) == number {
				return c
			}
		}
	}
	return pod.Spec.Containers[0]
}

// digestIn returns the digest of the image in a pod, or "" if the pod has not started
// yet.
func (x *existing) digestIn(pod corev1.Pod, repository string) (delivery.Digest, error) {
	for _, c := range pod.Spec.Containers {
		if repositoryOf(c.Image, x.registry) != repository {
			continue
		}
		for _, s := range pod.Status.ContainerStatuses {
			if s.Name != c.Name || s.ImageID == "" {
				continue
			}
			if _, text, ok := strings.Cut(s.ImageID, "@"); ok && delivery.Digest(text).Valid() {
				return delivery.Digest(text), nil
			}
			if _, text, ok := strings.Cut(c.Image, "@"); ok && delivery.Digest(text).Valid() {
				return delivery.Digest(text), nil
			}
			return "", x.refuse("pod %s reports no digest of its image %s: no registry has it (%s)", pod.Name, c.Image, s.ImageID)
		}
		if readiness.PodReady(&pod) {
			return "", x.refuse("pod %s does not report its image", pod.Name)
		}
		return "", nil
	}
	return "", x.refuse("its Services send requests to pods of two images: %s of %s runs no %s", pod.Name, client.Title(x.workloads[0]), repository)
}

// repositoryOf returns the repository of an image reference by its full name, or by
// that in the embedded registry, which the nodes reach under an address.
func repositoryOf(ref, embedded string) string {
	name := delivery.RepositoryOf(ref)
	if embedded != "" && strings.HasPrefix(name, embedded+"/") {
		return strings.TrimPrefix(name, embedded+"/")
	}
	return delivery.QualifyRepository(name)
}
