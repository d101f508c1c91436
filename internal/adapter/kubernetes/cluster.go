package kubernetes

import (
	"context"
	"errors"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// cluster is a connection to a namespace of a cluster.
type cluster struct {
	config    *rest.Config
	plain     *rest.Config // the same without our retries, for upgrades
	client    dynamic.Interface
	namespace string
	where     string // for people: "namespace mlops of context staging"

	mu     sync.Mutex      // never held while the API server is asked
	mapper meta.RESTMapper // of what the table below does not know
	lasts  *int64          // what linger found out
	line   *line

	once singleflight.Group // what many ask at the same time is asked once
}

// line is what is known of the way to the API server.
type line struct {
	ahead  atomic.Int64 // nanoseconds that the cluster's clock is ahead of ours
	broken atomic.Int64 // when it was last cut, in nanoseconds since 1970
}

// noticeable is how much the clocks may differ before it counts; the header that
// tells has whole seconds.
const noticeable = 2 * time.Second

// waking is how long an API server that has just started may refuse what it will
// allow: it reads its rules anew.
const waking = 10 * time.Second

func (l *line) cut() { l.broken.Store(time.Now().UnixNano()) }

func (l *line) wakes() bool { return time.Since(time.Unix(0, l.broken.Load())) < waking }

func (l *line) note(resp *http.Response) {
	if resp == nil {
		return
	}
	theirs, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return
	}
	ahead := time.Until(theirs)
	if ahead.Abs() < noticeable {
		ahead = 0
	}
	l.ahead.Store(int64(ahead))
}

// now is the cluster's time: what it writes down is held against it.
func (c *cluster) now() time.Time { return time.Now().Add(time.Duration(c.line.ahead.Load())) }

// userAgent names us in the API server's audit log.
const userAgent = "slipway"

// connect reads the credentials; the cluster is asked nothing yet.
func connect(cfg Config, p delivery.Location) (*cluster, error) {
	config, namespace, err := credentials(cfg, p)
	if err != nil {
		return nil, err
	}
	// The server's own fair queueing slows us down, if somebody must.
	config.QPS, config.UserAgent = -1, userAgent
	config.WarningHandler = rest.NoWarnings{}
	bare := rest.CopyConfig(config)
	way := new(line)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return retrying{next, way} })
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fault.New(fault.Invalid, "connect to %s", config.Host).Cause(err)
	}
	if p.Namespace != "" {
		namespace = p.Namespace
	}
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	where := "namespace " + namespace
	if p.Context != "" {
		where += " of " + p.Context
	}
	return &cluster{config: config, plain: bare, client: client, namespace: namespace, where: where, line: way}, nil
}

func credentials(cfg Config, p delivery.Location) (*rest.Config, string, error) {
	overrides := &clientcmd.ConfigOverrides{CurrentContext: p.Context}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = p.Kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
	if cfg.Kubeconfig != nil {
		parsed, err := clientcmd.Load(cfg.Kubeconfig)
		if err != nil {
			return nil, "", fault.New(fault.Invalid, "read the kubeconfig").Cause(err)
		}
		loader = clientcmd.NewNonInteractiveClientConfig(*parsed, p.Context, overrides, nil)
	}
	config, err := loader.ClientConfig()
	if err == nil {
		namespace, _, err := loader.Namespace()
		return config, namespace, err
	}
	if p.Context == "" && p.Kubeconfig == "" && clientcmd.IsEmptyConfig(err) {
		if config, inside := rest.InClusterConfig(); inside == nil {
			namespace, _ := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
			return config, string(namespace), nil
		}
	}
	f := fault.New(fault.Invalid, "find the cluster%s", of(p)).Cause(err)
	return nil, "", f.Hint("see `kubectl config get-contexts`; name one in the environment's target: {kubernetes: {context: ...}}")
}

func of(p delivery.Location) string {
	switch {
	case p.Context != "":
		return " of context " + p.Context
	case p.Kubeconfig != "":
		return " of " + p.Kubeconfig
	}
	return ""
}

// kind is how the API calls a kind.
type kind struct {
	resource   schema.GroupVersionResource
	namespaced bool
}

func known(group, version, resource string) kind {
	return kind{schema.GroupVersionResource{Group: group, Version: version, Resource: resource}, true}
}

// Kinds that we use ourselves.
func deployments() kind { return known("apps", "v1", "deployments") }
func replicaSets() kind { return known("apps", "v1", "replicasets") }
func pods() kind        { return known("", "v1", "pods") }
func services() kind    { return known("", "v1", "services") }
func events() kind      { return known("", "v1", "events") }
func configMaps() kind  { return known("", "v1", "configmaps") }
func secrets() kind     { return known("", "v1", "secrets") }
func leases() kind      { return known("coordination.k8s.io", "v1", "leases") }
func scalers() kind     { return known("autoscaling", "v2", "horizontalpodautoscalers") }
func endpointSlices() kind {
	return known("discovery.k8s.io", "v1", "endpointslices")
}
func ingresses() kind { return known("networking.k8s.io", "v1", "ingresses") }

// common are the kinds that most releases are made of, so that most deploys need
// no discovery.
func common() map[schema.GroupVersionKind]kind {
	gvk := func(group, version, kind string) schema.GroupVersionKind {
		return schema.GroupVersionKind{Group: group, Version: version, Kind: kind}
	}
	return map[schema.GroupVersionKind]kind{
		gvk("apps", "v1", "Deployment"):                       deployments(),
		gvk("apps", "v1", "ReplicaSet"):                       replicaSets(),
		gvk("apps", "v1", "StatefulSet"):                      known("apps", "v1", "statefulsets"),
		gvk("apps", "v1", "DaemonSet"):                        known("apps", "v1", "daemonsets"),
		gvk("batch", "v1", "Job"):                             known("batch", "v1", "jobs"),
		gvk("batch", "v1", "CronJob"):                         known("batch", "v1", "cronjobs"),
		gvk("", "v1", "Pod"):                                  pods(),
		gvk("", "v1", "Service"):                              services(),
		gvk("", "v1", "ConfigMap"):                            configMaps(),
		gvk("", "v1", "Secret"):                               secrets(),
		gvk("", "v1", "ServiceAccount"):                       known("", "v1", "serviceaccounts"),
		gvk("", "v1", "PersistentVolumeClaim"):                known("", "v1", "persistentvolumeclaims"),
		gvk("", "v1", "Namespace"):                            {schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, false},
		gvk("autoscaling", "v2", "HorizontalPodAutoscaler"):   scalers(),
		gvk("policy", "v1", "PodDisruptionBudget"):            known("policy", "v1", "poddisruptionbudgets"),
		gvk("networking.k8s.io", "v1", "Ingress"):             ingresses(),
		gvk("networking.k8s.io", "v1", "NetworkPolicy"):       known("networking.k8s.io", "v1", "networkpolicies"),
		gvk("rbac.authorization.k8s.io", "v1", "Role"):        known("rbac.authorization.k8s.io", "v1", "roles"),
		gvk("rbac.authorization.k8s.io", "v1", "RoleBinding"): known("rbac.authorization.k8s.io", "v1", "rolebindings"),
		gvk("coordination.k8s.io", "v1", "Lease"):             leases(),
	}
}

// kindOf finds out how the API calls an object's kind.
func (c *cluster) kindOf(ctx context.Context, gvk schema.GroupVersionKind) (kind, error) {
	if k, ok := common()[gvk]; ok {
		return k, nil
	}
	c.mu.Lock()
	mapper := c.mapper
	c.mu.Unlock()
	for fresh := mapper == nil; ; fresh = true {
		if fresh {
			var err error
			if mapper, err = c.discover(ctx); err != nil {
				return kind{}, err
			}
		}
		m, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		if err == nil {
			return kind{m.Resource, m.Scope.Name() == meta.RESTScopeNameNamespace}, nil
		}
		if !meta.IsNoMatchError(err) {
			return kind{}, unreachable("ask for kind "+gvk.Kind, err)
		}
		if fresh {
			return kind{}, fault.New(fault.Invalid, "the cluster has no kind %s of %s", gvk.Kind, gvk.GroupVersion()).
				Hint("install its CustomResourceDefinition, or mend apiVersion and kind").Cause(errNoKind)
		}
	}
}

var errNoKind = errors.New("no such kind")

// discover reads which kinds there are. Those who ask at the same time share
// one answer; each waits for it as long as its own context lasts.
func (c *cluster) discover(ctx context.Context) (meta.RESTMapper, error) {
	return shareOnce(ctx, &c.once, "kinds", func(ctx context.Context) (meta.RESTMapper, error) {
		d, err := discovery.NewDiscoveryClientForConfig(c.config)
		if err != nil {
			return nil, fault.New(fault.Invalid, "connect to %s", c.config.Host).Cause(err)
		}
		groups, err := restmapper.GetAPIGroupResourcesWithContext(ctx, d)
		if err != nil {
			return nil, unreachable("ask which kinds there are", err)
		}
		mapper := restmapper.NewDiscoveryRESTMapper(groups)
		c.mu.Lock()
		c.mapper = mapper
		c.mu.Unlock()
		return mapper, nil
	})
}

// shareOnce calls f once for all who ask at the same time, with a context of its
// own: one that gives up takes the answer from nobody else.
func shareOnce[T any](ctx context.Context, g *singleflight.Group, name string, f func(context.Context) (T, error)) (T, error) {
	var none T
	done := g.DoChan(name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), awayTime)
		defer cancel()
		return f(ctx)
	})
	select {
	case r := <-done:
		v, ok := r.Val.(T)
		if r.Err != nil || !ok {
			return none, r.Err
		}
		return v, nil
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}

// in is the API of a kind in a namespace; empty: ours.
func (c *cluster) in(k kind, namespace string) dynamic.ResourceInterface {
	if !k.namespaced {
		return c.client.Resource(k.resource)
	}
	if namespace == "" {
		namespace = c.namespace
	}
	return c.client.Resource(k.resource).Namespace(namespace)
}

// list returns the objects of a kind in our namespace with those labels.
func (c *cluster) list(ctx context.Context, k kind, labels string) ([]unstructured.Unstructured, error) {
	l, err := c.in(k, "").List(ctx, metav1.ListOptions{LabelSelector: labels})
	if err != nil {
		return nil, unreachable("list "+k.resource.Resource+" in "+c.where, err)
	}
	return l.Items, nil
}

// get returns an object, or nil when there is none.
func (c *cluster) get(ctx context.Context, k kind, namespace, name string) (*unstructured.Unstructured, error) {
	o, err := c.in(k, namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, unreachable("read "+k.resource.Resource+" "+name, err)
	}
	return o, nil
}
