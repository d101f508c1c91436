// Package kubernetes is the target in a cluster: a release is its objects, and
// the objects of one release are applied, judged, given the traffic and taken
// back together.
//
// One Deployment serves all releases of a service. Three of its and its Service's
// fields make it a slipway:
//
//   - minReadySeconds is the brake. While it is enormous, no new pod counts as
//     available, so the Deployment controller starts new ones beside the old and
//     takes none of the old away.
//   - maxSurge says how many new ones there may be.
//   - the Service's selector names the release that gets the traffic.
//
// So a release is asked before users reach it, a canary is a few pods more, going
// back needs no new pod, and there is one ReplicaSet for each release.
package kubernetes

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/render"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// Config of a Target. The zero value is useful.
type Config struct {
	Kubeconfig []byte             // instead of the place's file: for tests
	Clock      func() time.Time   // default time.Now
	Timeouts   readiness.Timeouts // with what may heal
	Lease      LockTimes
	Host       string // who holds the lock, for people; default: this machine's name
}

// Target is a port.Target, Placer, Renderer, Shifter, Comparer, Settler, Meter,
// Locker, Rehearser, Chronicler, Differ and LogReader. Safe for concurrent use.
type Target struct {
	cfg   Config
	place delivery.Location
	all   *shared

	mu       sync.Mutex
	conn     *cluster
	locks    map[string]*lock
	forwards map[string]*forward
	measured map[string]baseline
	scraping *tunnels
}

// shared are the targets that one wiring made, one for each place.
type shared struct {
	mu    sync.Mutex
	bound map[delivery.Location]*Target
}

var (
	_ port.Target          = (*Target)(nil)
	_ port.Locator         = (*Target)(nil)
	_ port.Renderer        = (*Target)(nil)
	_ port.TrafficSplitter = (*Target)(nil)
	_ port.MetricsComparer = (*Target)(nil)
	_ port.Finalizer       = (*Target)(nil)
	_ port.TrafficReporter = (*Target)(nil)
	_ port.HistoryStore    = (*Target)(nil)
	_ port.Locker          = (*Target)(nil)
	_ port.DryRunner       = (*Target)(nil)
	_ port.Differ          = (*Target)(nil)
	_ port.LogReader       = (*Target)(nil)
)

// New makes the target for the cluster and namespace that kubectl would use.
// Nothing is connected before it is used.
func New(cfg Config) *Target {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Host == "" {
		cfg.Host, _ = os.Hostname()
	}
	cfg.Lease = cfg.Lease.complete()
	all := &shared{bound: map[delivery.Location]*Target{}}
	return all.target(cfg, delivery.Location{})
}

// For is the same target for every caller with the same place, so that
// connections, locks and addresses are shared.
func (t *Target) For(p delivery.Location) (port.Target, error) { return t.all.target(t.cfg, p), nil }

func (s *shared) target(cfg Config, p delivery.Location) *Target {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.bound[p]; ok {
		return known
	}
	t := &Target{
		cfg: cfg, place: p, all: s,
		locks: map[string]*lock{}, forwards: map[string]*forward{}, measured: map[string]baseline{},
	}
	s.bound[p] = t
	return t
}

// Close ends the addresses that were handed out and frees the locks that are
// held. What was killed before it came here loses its locks by their time.
func (t *Target) Close() error {
	t.all.mu.Lock()
	var bound []*Target
	for _, b := range t.all.bound {
		bound = append(bound, b)
	}
	t.all.mu.Unlock()
	var errs []error
	for _, b := range bound {
		errs = append(errs, b.closeOne())
	}
	return errors.Join(errs...)
}

// farewell is how long Close may take to free locks.
const farewell = 3 * time.Second

func (t *Target) closeOne() error {
	t.mu.Lock()
	locks, forwards, scraping := t.locks, t.forwards, t.scraping
	t.locks, t.forwards, t.scraping = map[string]*lock{}, map[string]*forward{}, nil
	t.mu.Unlock()
	if scraping != nil {
		scraping.close()
	}
	for _, f := range forwards {
		f.close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	var errs []error
	for _, l := range locks {
		errs = append(errs, l.free(ctx))
	}
	return errors.Join(errs...)
}

// Render makes the release's objects; no cluster is asked.
func (t *Target) Render(ctx context.Context, m port.Manifests) (port.Rendered, error) {
	return render.Render(ctx, m)
}

// connected is the connection to the place, made once.
func (t *Target) connected() (*cluster, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn != nil {
		return t.conn, nil
	}
	conn, err := connect(t.cfg, t.place)
	if err == nil {
		t.conn = conn
	}
	return conn, err
}
