// Package lease is the lock of an environment: a Lease of the cluster, so that one run
// at a time changes the environment, also when two Slipways with separate records
// deploy there.
//
// It is not client-go's leader election: that does not promise that its leader is the
// only one. Here every write is bounded by the moment at which the lease can expire,
// and carries a fencing token (docs/decisions/0016-a-lease-with-a-fence.md).
package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/wait"
)

// Options of a lease.
type Options struct {
	Name   string
	Holder string // the run: after kill -9 the same run gets its lease back at once
	Host   string // of the holder, for people
	Timing Timing
	Clock  func() time.Time

	// LastFence returns the highest fencing token in use. A lease that was deleted
	// continues from it.
	LastFence func(context.Context) (int64, error)
}

// Lease is a lease that we hold, or held.
type Lease struct {
	opts   Options
	client *client.Client

	stop  context.CancelFunc // of the renewal; nil: it has not started
	ended chan struct{}

	mu      sync.Mutex
	fence   int64
	expires time.Time // it is ours before this moment, by our clock
	lost    string    // why it is not ours any more
}

func newLease(c *client.Client, opts Options) *Lease {
	opts.Timing = opts.Timing.withDefaults()
	return &Lease{opts: opts, client: c}
}

// Acquire waits until the lease is free, takes it, and renews it until Release. It
// reports which run it waits for. A lease that does not come free is fault.Conflict.
func Acquire(ctx context.Context, c *client.Client, opts Options, report func(string)) (*Lease, error) {
	l := newLease(c, opts)
	if err := l.acquire(ctx, report); err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(context.Background())
	l.stop, l.ended = stop, make(chan struct{})
	go l.keepRenewing(run)
	return l, nil
}

func (l *Lease) acquire(ctx context.Context, report func(string)) error {
	start, last := l.opts.Clock(), ""
	var observed observation
	for {
		holder, err := l.tryAcquire(ctx, &observed)
		if errors.Is(err, errTaken) {
			holder, err = "another run", nil
		}
		if err != nil || holder == "" {
			return err
		}
		if l.opts.Clock().Sub(start) > l.opts.Timing.WaitTimeout {
			return fault.New(fault.Conflict, "acquire the lock %s in %s: held by %s for more than %s", l.opts.Name, l.client, holder, l.opts.Timing.WaitTimeout).
				Hint("wait until it has finished, or stop it where it runs")
		}
		if holder != last {
			report("waiting for " + holder + " to release the environment")
			last = holder
		}
		if err := wait.Sleep(ctx, l.opts.Timing.RetryPeriod); err != nil {
			return fmt.Errorf("wait for %s to release the lock %s: %w", holder, l.opts.Name, err)
		}
	}
}

// observation is the last renewal that was seen of a foreign lease. Clocks of machines
// differ: the lease has expired when no renewal was seen for its duration, by our
// clock.
type observation struct {
	resourceVersion string
	since           time.Time
}

// tryAcquire takes the lease if it is free; otherwise it returns the holder. One that
// would not expire in any sensible time is fault.Conflict.
func (l *Lease) tryAcquire(ctx context.Context, observed *observation) (holder string, err error) {
	requested := l.opts.Clock()
	current, err := read(ctx, l.client, l.opts.Name)
	if err != nil {
		return "", err
	}
	if current == nil {
		last, err := l.opts.LastFence(ctx)
		if err != nil {
			return "", err
		}
		return "", l.write(ctx, nil, requested, last+1)
	}
	if observed.resourceVersion != current.GetResourceVersion() {
		*observed = observation{current.GetResourceVersion(), l.opts.Clock()} // the request may have taken long
	}
	expired := requested.Sub(observed.since) > current.duration()
	switch {
	case current.holder() == l.opts.Holder:
		return "", l.write(ctx, current, requested, max(current.transitions(), 1))
	case current.holder() == "" || expired:
		return "", l.write(ctx, current, requested, current.transitions()+1)
	}
	return current.describe(), l.checkDuration(current)
}

// maxForeignDuration is the longest time for which the lease of another run is believed
// without a renewal. A run of Slipway takes it for 20 s at a time; whoever takes it for
// hours keeps everybody out.
const maxForeignDuration = 5 * time.Minute

// checkDuration refuses to wait for a lease that does not expire in any sensible time.
func (l *Lease) checkDuration(current *object) error {
	longest := max(maxForeignDuration, l.opts.Timing.LeaseDuration)
	if current.duration() <= longest {
		return nil
	}
	return fault.New(fault.Conflict, "acquire the lock %s in %s: %s claims it for %s without a renewal, and Slipway takes it for %s; %s",
		l.opts.Name, l.client, current.describe(), current.duration(), l.opts.Timing.LeaseDuration, current.lastWriter()).
		Hint("find out who that is; then free the environment: `kubectl -n %s delete lease %s`", l.client.Namespace(), l.opts.Name)
}

// errTaken means that another run was quicker.
var errTaken = errors.New("the lock was taken by another run")

// write makes the lease ours from requested on.
func (l *Lease) write(ctx context.Context, before *object, requested time.Time, fence int64) error {
	busy, err := record{
		name: l.opts.Name, holder: l.opts.Holder, host: l.opts.Host,
		duration: l.opts.Timing.LeaseDuration, renewed: requested, transitions: fence,
	}.write(ctx, l.client, before)
	switch {
	case busy:
		return l.confirm(ctx)
	case err != nil:
		return err
	}
	l.mu.Lock()
	l.expires, l.fence = requested.Add(l.opts.Timing.LeaseDuration), fence
	l.mu.Unlock()
	return nil
}

// confirm finds out whether a write that seemed to come too late was ours after all:
// the response may have been lost, and the request repeated.
func (l *Lease) confirm(ctx context.Context) error {
	requested := l.opts.Clock()
	current, err := read(ctx, l.client, l.opts.Name)
	if err != nil {
		return err
	}
	if current.holder() != l.opts.Holder {
		return errTaken
	}
	return l.write(ctx, current, requested, current.transitions())
}

func (l *Lease) keepRenewing(ctx context.Context) {
	defer close(l.ended)
	for wait.Sleep(ctx, l.opts.Timing.RenewInterval) == nil && l.renew(ctx) {
	}
}

// renew extends the lease; it returns false when the lease is lost for good.
func (l *Lease) renew(ctx context.Context) bool {
	requested := l.opts.Clock()
	current, err := read(ctx, l.client, l.opts.Name)
	if err != nil {
		return true // it expires by itself
	}
	if current.holder() != l.opts.Holder {
		l.Forfeit("run " + current.holder() + " holds it")
		return false
	}
	_ = l.write(ctx, current, requested, l.Fence())
	return true
}

// Holder returns who holds the lease.
func (l *Lease) Holder() string { return l.opts.Holder }

// Fence returns the fencing token: it grows with every change of the holder.
func (l *Lease) Fence() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fence
}

// Forfeit makes Check fail from now on.
func (l *Lease) Forfeit(reason string) {
	l.mu.Lock()
	l.lost = reason
	l.mu.Unlock()
}

// Check returns fault.Conflict if the lease is not ours any more. Call it before each
// change.
func (l *Lease) Check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	reason := l.lost
	if reason == "" && !l.opts.Clock().Before(l.expires) {
		reason = "it could not be renewed"
	}
	if reason == "" {
		return nil
	}
	return fault.New(fault.Conflict, "lost the lock %s in %s: %s", l.opts.Name, l.client, reason).
		Hint("another Slipway deploys to this environment; see `slipway status`")
}

// Guard returns a context for a change: it ends before the lease can expire.
func (l *Lease) Guard(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if err := l.Check(); err != nil {
		return nil, nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	bounded, cancel := context.WithTimeout(ctx, l.expires.Sub(l.opts.Clock()))
	return bounded, cancel, nil
}

// Release ends the renewal and frees the lease. One that is not ours any more is left
// alone.
func (l *Lease) Release(ctx context.Context) error {
	if l.stop != nil {
		l.stop()
		<-l.ended
	}
	current, err := read(ctx, l.client, l.opts.Name)
	if err != nil || current.holder() != l.opts.Holder {
		return err
	}
	if err := unstructured.SetNestedField(current.Object, "", "spec", "holderIdentity"); err != nil {
		return fmt.Errorf("release the lock %s: %w", l.opts.Name, err)
	}
	_, err = l.client.In(client.Leases(), "").Update(ctx, current.Unstructured, metav1.UpdateOptions{FieldManager: labels.Manager})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return client.Explain("release the lock "+l.opts.Name, err)
}
