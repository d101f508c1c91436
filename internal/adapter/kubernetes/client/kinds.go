package client

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/restmapper"

	"github.com/slipway-cd/slipway/internal/fault"
)

// Kind is how the API names a kind.
type Kind struct {
	Resource   schema.GroupVersionResource
	Namespaced bool
}

func namespaced(group, version, resource string) Kind {
	return Kind{schema.GroupVersionResource{Group: group, Version: version, Resource: resource}, true}
}

// Deployments returns the kind Deployment.
func Deployments() Kind { return namespaced("apps", "v1", "deployments") }

// ReplicaSets returns the kind ReplicaSet.
func ReplicaSets() Kind { return namespaced("apps", "v1", "replicasets") }

// Pods returns the kind Pod.
func Pods() Kind { return namespaced("", "v1", "pods") }

// Services returns the kind Service.
func Services() Kind { return namespaced("", "v1", "services") }

// Events returns the kind Event.
func Events() Kind { return namespaced("", "v1", "events") }

// ConfigMaps returns the kind ConfigMap.
func ConfigMaps() Kind { return namespaced("", "v1", "configmaps") }

// Secrets returns the kind Secret.
func Secrets() Kind { return namespaced("", "v1", "secrets") }

// Jobs returns the kind Job.
func Jobs() Kind { return namespaced("batch", "v1", "jobs") }

// Leases returns the kind Lease.
func Leases() Kind { return namespaced("coordination.k8s.io", "v1", "leases") }

// Autoscalers returns the kind HorizontalPodAutoscaler.
func Autoscalers() Kind { return namespaced("autoscaling", "v2", "horizontalpodautoscalers") }

// EndpointSlices returns the kind EndpointSlice.
func EndpointSlices() Kind { return namespaced("discovery.k8s.io", "v1", "endpointslices") }

// Ingresses returns the kind Ingress.
func Ingresses() Kind { return namespaced("networking.k8s.io", "v1", "ingresses") }

// Nodes returns the kind Node, which is in no namespace.
func Nodes() Kind {
	return Kind{Resource: schema.GroupVersionResource{Version: "v1", Resource: "nodes"}}
}

// commonKinds are what most releases consist of, so that most deployments need no
// discovery.
func commonKinds() map[schema.GroupVersionKind]Kind {
	gvk := func(group, version, kind string) schema.GroupVersionKind {
		return schema.GroupVersionKind{Group: group, Version: version, Kind: kind}
	}
	return map[schema.GroupVersionKind]Kind{
		gvk("apps", "v1", "Deployment"):                       Deployments(),
		gvk("apps", "v1", "ReplicaSet"):                       ReplicaSets(),
		gvk("apps", "v1", "StatefulSet"):                      namespaced("apps", "v1", "statefulsets"),
		gvk("apps", "v1", "DaemonSet"):                        namespaced("apps", "v1", "daemonsets"),
		gvk("batch", "v1", "Job"):                             Jobs(),
		gvk("batch", "v1", "CronJob"):                         namespaced("batch", "v1", "cronjobs"),
		gvk("", "v1", "Pod"):                                  Pods(),
		gvk("", "v1", "Service"):                              Services(),
		gvk("", "v1", "ConfigMap"):                            ConfigMaps(),
		gvk("", "v1", "Secret"):                               Secrets(),
		gvk("", "v1", "ServiceAccount"):                       namespaced("", "v1", "serviceaccounts"),
		gvk("", "v1", "PersistentVolumeClaim"):                namespaced("", "v1", "persistentvolumeclaims"),
		gvk("", "v1", "Namespace"):                            {schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, false},
		gvk("autoscaling", "v2", "HorizontalPodAutoscaler"):   Autoscalers(),
		gvk("policy", "v1", "PodDisruptionBudget"):            namespaced("policy", "v1", "poddisruptionbudgets"),
		gvk("networking.k8s.io", "v1", "Ingress"):             Ingresses(),
		gvk("networking.k8s.io", "v1", "NetworkPolicy"):       namespaced("networking.k8s.io", "v1", "networkpolicies"),
		gvk("rbac.authorization.k8s.io", "v1", "Role"):        namespaced("rbac.authorization.k8s.io", "v1", "roles"),
		gvk("rbac.authorization.k8s.io", "v1", "RoleBinding"): namespaced("rbac.authorization.k8s.io", "v1", "rolebindings"),
		gvk("coordination.k8s.io", "v1", "Lease"):             Leases(),
	}
}

// IsNamespaced reports whether a common kind is in namespaces; false for others,
// which only the cluster knows.
func IsNamespaced(gvk schema.GroupVersionKind) bool { return commonKinds()[gvk].Namespaced }

// ErrUnknownKind is the cause of a fault.Invalid: the cluster lacks the kind.
var ErrUnknownKind = errors.New("unknown kind")

// KindOf returns how the API names an object's kind.
func (c *Client) KindOf(ctx context.Context, gvk schema.GroupVersionKind) (Kind, error) {
	if k, ok := commonKinds()[gvk]; ok {
		return k, nil
	}
	c.mu.Lock()
	mapper := c.mapper
	c.mu.Unlock()
	for fresh := mapper == nil; ; fresh = true {
		if fresh {
			var err error
			if mapper, err = c.discover(ctx); err != nil {
				return Kind{}, err
			}
		}
		m, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		if err == nil {
			return Kind{m.Resource, m.Scope.Name() == meta.RESTScopeNameNamespace}, nil
		}
		if !meta.IsNoMatchError(err) {
			return Kind{}, Explain("look up kind "+gvk.Kind, err)
		}
		if fresh {
			return Kind{}, fault.New(fault.Invalid, "the cluster has no kind %s of %s", gvk.Kind, gvk.GroupVersion()).
				Hint("%s", unknownKindHint(mapper, gvk)).Cause(ErrUnknownKind)
		}
	}
}

// unknownKindHint names what the cluster has in its place: another version of the kind,
// or a kind of a similar name.
func unknownKindHint(mapper meta.RESTMapper, gvk schema.GroupVersionKind) string {
	if m, err := mapper.RESTMapping(gvk.GroupKind()); err == nil {
		return "this cluster has it as " + m.GroupVersionKind.GroupVersion().String() + ": correct apiVersion"
	}
	var kinds []string
	for kind := range scheme.Scheme.KnownTypes(gvk.GroupVersion()) {
		kinds = append(kinds, kind)
	}
	if near, ok := fault.Nearest(gvk.Kind, kinds); ok && near != gvk.Kind {
		return "did you mean " + near + "?"
	}
	return "install its CustomResourceDefinition, or correct apiVersion and kind"
}

func (c *Client) discover(ctx context.Context) (meta.RESTMapper, error) {
	return shared(ctx, c, "kinds", func(ctx context.Context) (meta.RESTMapper, error) {
		d, err := discovery.NewDiscoveryClientForConfig(c.config)
		if err != nil {
			return nil, invalidConfig(c.config, err)
		}
		groups, err := restmapper.GetAPIGroupResourcesWithContext(ctx, d)
		if err != nil {
			return nil, Explain("list the cluster's API resources", err)
		}
		mapper := restmapper.NewDiscoveryRESTMapper(groups)
		c.mu.Lock()
		c.mapper = mapper
		c.mu.Unlock()
		return mapper, nil
	})
}
