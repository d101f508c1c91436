// Package client connects to a namespace of a cluster. It repeats requests while the
// API server is away, and explains its errors; it does not know about releases.
package client

import (
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/slipway-cd/slipway/internal/fault"
)

// userAgent names Slipway in the API server's audit log.
const userAgent = "slipway"

// Location names a cluster and a namespace. Empty fields have kubectl's defaults.
type Location struct {
	Kubeconfig string // path
	Context    string
	Namespace  string

	// Repository is the folder of the project. A kubeconfig in the repository that it is
	// part of runs no programs, and sends no files.
	Repository string
}

// String describes the location's cluster: " of context staging".
func (l Location) String() string {
	switch {
	case l.Context != "":
		return " of context " + l.Context
	case l.Kubeconfig != "":
		return " of " + l.Kubeconfig
	}
	return ""
}

// Client is a connection to a namespace of a cluster. Safe for concurrent use.
type Client struct {
	config      *rest.Config
	plainConfig *rest.Config // without retries, for upgrades to other protocols
	dynamic     dynamic.Interface
	namespace   string
	title       string // for people: "namespace mlops of staging"
	link        *link
	recent      *recentLists

	mu           sync.Mutex      // never held during a request
	mapper       meta.RESTMapper // of kinds that are not in commonKinds
	minorVersion *int

	group singleflight.Group // concurrent callers share one request
}

// Connect reads the credentials; no request is sent yet. The kubeconfig's content,
// if given, replaces the location's file; transport, if given, wraps what sends requests.
func Connect(l Location, kubeconfig []byte, transport func(http.RoundTripper) http.RoundTripper) (*Client, error) {
	config, namespace, err := credentials(l, kubeconfig)
	if err != nil {
		return nil, err
	}
	if transport != nil {
		config.Wrap(transport)
	}
	if l.Namespace != "" {
		namespace = l.Namespace
	}
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	title := "namespace " + namespace
	if l.Context != "" {
		title += " of " + l.Context
	}
	return New(config, namespace, title)
}

// New returns a client with a configuration of client-go's.
func New(config *rest.Config, namespace, title string) (*Client, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1 // the server's own flow control limits us
	config.UserAgent = userAgent
	config.WarningHandler = rest.NoWarnings{}
	plain := rest.CopyConfig(config)
	link, recent := new(link), new(recentLists)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return forgetter{retrier{next, link}, recent} })
	d, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, invalidConfig(config, err)
	}
	return &Client{config: config, plainConfig: plain, dynamic: d, namespace: namespace, title: title, link: link, recent: recent}, nil
}

func invalidConfig(config *rest.Config, err error) error {
	return fault.New(fault.Invalid, "connect to %s", config.Host).Cause(err)
}

func credentials(l Location, content []byte) (*rest.Config, string, error) {
	overrides := &clientcmd.ConfigOverrides{CurrentContext: l.Context}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = l.Kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
	if content != nil {
		parsed, err := clientcmd.Load(content)
		if err != nil {
			return nil, "", fault.New(fault.Invalid, "read the kubeconfig").Cause(err)
		}
		loader = clientcmd.NewNonInteractiveClientConfig(*parsed, l.Context, overrides, nil)
	}
	if err := checkPlugins(l.Repository, l.Kubeconfig, l.Context, loader); err != nil {
		return nil, "", err
	}
	config, err := loader.ClientConfig()
	if err == nil {
		namespace, _, err := loader.Namespace()
		return config, namespace, err
	}
	if l.Context == "" && l.Kubeconfig == "" && clientcmd.IsEmptyConfig(err) {
		if config, inside := rest.InClusterConfig(); inside == nil {
			namespace, _ := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
			return config, string(namespace), nil
		}
	}
	f := fault.New(fault.Invalid, "find the cluster%s", l).Cause(err)
	return nil, "", f.Hint("see `kubectl config get-contexts`; name one in the environment's target: {kubernetes: {context: ...}}")
}

// Namespace returns the namespace that objects without one are in.
func (c *Client) Namespace() string { return c.namespace }

// String describes the client's namespace for people.
func (c *Client) String() string { return c.title }

// Now returns the cluster's time: times that the cluster wrote are compared with it.
func (c *Client) Now() time.Time { return time.Now().Add(c.link.clockSkew()) }

// ReuseLists makes List return what was listed up to maxAge ago. Other programs'
// changes are seen that much later, as if the network were slower.
func (c *Client) ReuseLists(maxAge time.Duration) {
	c.recent.setMaxAge(maxAge)
}

// ForgetLists makes the next List of everything a request: for proofs, for polls, and
// where a change of others became known in another way.
func (c *Client) ForgetLists() { c.recent.forget("") }
