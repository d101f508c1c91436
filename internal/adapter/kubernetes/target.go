package kubernetes

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/history"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/lease"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/metrics"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/portforward"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/render"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Config of a Target. The zero value is useful.
type Config struct {
	Repository string // folder of the project: a kubeconfig of the repository runs no programs
	Kubeconfig []byte // instead of the location's file: for tests

	HistoryKeys func(delivery.Environment) (port.HistoryKeys, error) // of the project; nil: none
	Signers     port.SignerFactory
	Signatures  port.Verifier

	// Access finds the clusters of a cloud; nil: the section names a kubeconfig's.
	Access Access

	// Transport wraps what sends requests to the API server: for tests. nil: nothing.
	Transport func(http.RoundTripper) http.RoundTripper

	Clock    func() time.Time   // default time.Now
	Timeouts readiness.Timeouts // how long trouble that can heal may last
	Lease    lease.Timing
	Host     string // of the lease's holder, for people; default: this machine's name
	// LookupHost asks DNS for a host's addresses; default: as the system does.
	LookupHost func(ctx context.Context, host string) ([]string, error)
}

// Target deploys to one namespace of a cluster. Safe for concurrent use.
type Target struct {
	cfg      Config
	section  Section
	registry *registry

	mu         sync.Mutex // never held during a request
	conn       *client.Client
	leases     map[string]*lease.Lease           // by labels.ObjectName
	informers  map[string]*client.Informers      // by labels.ObjectName, while the lease is held
	forwarders map[string]*portforward.Forwarder // by addressKey
	collector  *metrics.Collector
	routed     map[string]routing          // by addressKey: what the nodes have to follow
	keyrings   map[string]*history.Keyring // by labels.ObjectName
}

// routing is what requests were routed to, and since when at least.
type routing struct {
	state string
	since time.Time
}

// registry keeps the targets that one New made, one for each location.
type registry struct {
	mu      sync.Mutex
	targets map[Section]*Target
}

var (
	_ port.Target            = (*Target)(nil)
	_ port.Locator           = (*Target)(nil)
	_ port.Renderer          = (*Target)(nil)
	_ port.TrafficSplitter   = (*Target)(nil)
	_ port.MetricsComparer   = (*Target)(nil)
	_ port.Finalizer         = (*Target)(nil)
	_ port.TrafficReporter   = (*Target)(nil)
	_ port.HistoryStore      = (*Target)(nil)
	_ port.LogAnchor         = (*Target)(nil)
	_ port.Locker            = (*Target)(nil)
	_ port.DryRunner         = (*Target)(nil)
	_ port.Identifier        = (*Target)(nil)
	_ port.Differ            = (*Target)(nil)
	_ port.DriftReporter     = (*Target)(nil)
	_ port.LiveConfirmer     = (*Target)(nil)
	_ port.LatestFinder      = (*Target)(nil)
	_ port.LogReader         = (*Target)(nil)
	_ port.NamespaceReporter = (*Target)(nil)
)

// New returns the target for the cluster and namespace that kubectl would use. It
// connects when it is first used.
func New(cfg Config) *Target {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Host == "" {
		cfg.Host, _ = os.Hostname()
	}
	if cfg.LookupHost == nil {
		cfg.LookupHost = net.DefaultResolver.LookupHost
	}
	r := &registry{targets: map[Section]*Target{}}
	return r.target(cfg, Section{})
}

// For returns the target for a location. It is the same one for every caller, so that
// connections, leases and addresses are shared.
func (t *Target) For(l delivery.Location) (port.Target, error) {
	var s Section
	if err := l.Decode(&s); err != nil {
		return nil, fault.New(fault.Invalid, "find the cluster").Cause(err)
	}
	return t.registry.target(t.cfg, s), nil
}

// Namespace is the one that the location names; empty: the context's.
func (t *Target) Namespace() string { return t.section.Namespace }

func (r *registry) target(cfg Config, s Section) *Target {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.targets[s]; ok {
		return known
	}
	t := &Target{
		cfg: cfg, section: s, registry: r,
		leases: map[string]*lease.Lease{}, informers: map[string]*client.Informers{}, forwarders: map[string]*portforward.Forwarder{}, routed: map[string]routing{},
		keyrings: map[string]*history.Keyring{},
	}
	r.targets[s] = t
	return t
}

// Render returns the release's objects; it needs no cluster.
func (t *Target) Render(ctx context.Context, m port.Manifests) (port.Rendered, error) {
	return render.Render(ctx, m)
}

// Close ends the addresses that were handed out and releases the leases. Those of a
// process that was killed expire.
func (t *Target) Close() error {
	t.registry.mu.Lock()
	var targets []*Target
	for _, one := range t.registry.targets {
		targets = append(targets, one)
	}
	t.registry.mu.Unlock()
	var errs []error
	for _, one := range targets {
		errs = append(errs, one.closeOne())
	}
	return errors.Join(errs...)
}

// closeTimeout is how long Close may take to release leases.
const closeTimeout = 3 * time.Second

func (t *Target) closeOne() error {
	t.mu.Lock()
	leases, informers, forwarders, collector := t.leases, t.informers, t.forwarders, t.collector
	t.leases, t.informers = map[string]*lease.Lease{}, map[string]*client.Informers{}
	t.forwarders, t.collector = map[string]*portforward.Forwarder{}, nil
	t.mu.Unlock()
	for _, i := range informers {
		i.Close()
	}
	if collector != nil {
		collector.Close()
	}
	for _, f := range forwarders {
		f.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	var errs []error
	for _, l := range leases {
		errs = append(errs, l.Release(ctx))
	}
	return errors.Join(errs...)
}

// maxListAge is how long the parts of a run that look at the same objects share one
// look. A watch that polls once a second looks each time.
const maxListAge = 500 * time.Millisecond

// client returns the connection to the place. It is made once, unless several callers
// are the first ones: no lock is held while a cloud is asked for its cluster.
func (t *Target) client(ctx context.Context) (*client.Client, error) {
	t.mu.Lock()
	conn := t.conn
	t.mu.Unlock()
	if conn != nil {
		return conn, nil
	}
	conn, err := t.connect(ctx)
	if err != nil {
		return nil, err
	}
	conn.ReuseLists(maxListAge)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn == nil {
		t.conn = conn
	}
	return t.conn, nil
}

func (t *Target) connect(ctx context.Context) (*client.Client, error) {
	if t.section.Cluster == "" {
		location := client.Location{Kubeconfig: t.section.Kubeconfig, Context: t.section.Context, Namespace: t.section.Namespace, Repository: t.cfg.Repository}
		return client.Connect(location, t.cfg.Kubeconfig, t.cfg.Transport)
	}
	if t.cfg.Access == nil {
		return nil, fault.New(fault.Internal, "find the cluster %s: this target knows no cloud", t.section.Cluster)
	}
	endpoint, err := t.cfg.Access(ctx, t.section.ManagedCluster)
	if err != nil {
		return nil, err
	}
	return client.ConnectTo(endpoint, t.section.Namespace, "namespace "+t.section.Namespace+" of "+t.section.Cluster, t.cfg.Transport)
}
