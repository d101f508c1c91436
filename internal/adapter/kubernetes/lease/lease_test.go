package lease

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
	"github.com/slipway-cd/slipway/internal/fault"
)

const leasePath = "/apis/coordination.k8s.io/v1/namespaces/ns/leases/slipway-api-prod"

// clock is that of a machine.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// wanting returns the lease of a run that does not hold it yet; its timing is that of
// production.
func wanting(server *fakeapi.Server, run string, c *clock) *Lease {
	client := server.Client()
	return newLease(client, Options{
		Name: "slipway-api-prod", Holder: run, Host: "host-" + run, Clock: c.time,
		LastFence: func(ctx context.Context) (int64, error) { return rollout.LastFence(ctx, client) },
	})
}

// mustAcquire tries once, and expects the holder; empty: it is acquired.
func mustAcquire(t *testing.T, l *Lease, observed *observation, want string) {
	t.Helper()
	holder, err := l.tryAcquire(t.Context(), observed)
	if err != nil || holder != want {
		t.Fatalf("holder = %q, error = %v; want %q", holder, err, want)
	}
}

func TestLease_HasOneHolder(t *testing.T) {
	server, ours, theirs := fakeapi.New(t), newClock(), newClock()
	theirs.pass(-72 * time.Hour) // their clock is wrong
	a, b := wanting(server, "a", ours), wanting(server, "b", theirs)
	var observed observation
	mustAcquire(t, a, new(observation), "")
	if err := a.Check(); err != nil {
		t.Error(err)
	}
	for range 10 {
		mustAcquire(t, b, &observed, "run a on host-a")
		ours.pass(5 * time.Second)
		theirs.pass(5 * time.Second)
		if !a.renew(t.Context()) || a.Check() != nil {
			t.Fatal("the holder could not renew it")
		}
	}
	if err := b.Check(); !fault.Is(err, fault.Conflict) {
		t.Errorf("Check without the lease = %v, want %s", err, fault.Conflict)
	}
	if err := a.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustAcquire(t, b, &observed, "")
	if a.Fence() != 1 || b.Fence() != 2 {
		t.Errorf("fences %d and %d, want 1 and 2", a.Fence(), b.Fence())
	}
	if err := a.Release(t.Context()); err != nil { // it belongs to b now
		t.Fatal(err)
	}
	mustAcquire(t, a, new(observation), "run b on host-b")
}

// TestLease_ContinuesFenceAfterDeletion: a lease that was deleted continues from the
// highest token in use, or every Service would refuse the next switch.
func TestLease_ContinuesFenceAfterDeletion(t *testing.T) {
	server := fakeapi.New(t)
	for name, fence := range map[string]string{"api": "41.1750000000000", "old": "7.1", "plain": ""} {
		server.Put("/api/v1/namespaces/ns/services/"+name, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{
				"name": name, "namespace": "ns", "labels": map[string]any{labels.Service: "api"},
				"annotations": map[string]any{labels.Fence: fence},
			},
		}})
	}
	l := wanting(server, "a", newClock())
	mustAcquire(t, l, new(observation), "")
	if l.Fence() != 42 {
		t.Errorf("fence %d, want 42", l.Fence())
	}
}

// TestLease_Expires: a lease that is not renewed for its duration is lost, by the clock of
// the one who waits, and its holder notices by its own.
func TestLease_Expires(t *testing.T) {
	server, ours, theirs := fakeapi.New(t), newClock(), newClock()
	theirs.pass(72 * time.Hour)
	a, b := wanting(server, "a", ours), wanting(server, "b", theirs)
	mustAcquire(t, a, new(observation), "")
	var observed observation
	mustAcquire(t, b, &observed, "run a on host-a")
	ours.pass(a.opts.Timing.LeaseDuration)
	theirs.pass(a.opts.Timing.LeaseDuration)
	mustAcquire(t, b, &observed, "run a on host-a") // not yet: exactly its time
	if err := a.Check(); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "could not be renewed") {
		t.Errorf("Check after its duration = %v, want a conflict", err)
	}
	if _, _, err := a.Guard(t.Context()); !fault.Is(err, fault.Conflict) {
		t.Errorf("Guard after its duration = %v, want %s", err, fault.Conflict)
	}
	theirs.pass(time.Millisecond)
	mustAcquire(t, b, &observed, "")
	if b.Fence() != 2 {
		t.Errorf("fence %d, want 2", b.Fence())
	}
	if a.renew(t.Context()) {
		t.Error("a lost lease was renewed")
	}
	if err := a.Check(); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "run b holds it") {
		t.Errorf("error = %v, want that run b holds it", err)
	}
	if err := b.Check(); err != nil {
		t.Error(err)
	}
}

// TestLease_ObservesFromResponse: a response that took long (the API server was away)
// counts from when it came. Otherwise a lease would be taken that was renewed while its
// state was on the way.
func TestLease_ObservesFromResponse(t *testing.T) {
	server, now := fakeapi.New(t), newClock()
	a, b := wanting(server, "a", now), wanting(server, "b", now)
	mustAcquire(t, a, new(observation), "")
	var observed observation
	server.Before = func(req *http.Request) error {
		if req.Method == http.MethodGet {
			server.Before = nil
			now.pass(a.opts.Timing.LeaseDuration - time.Second)
			if !a.renew(t.Context()) {
				t.Error("it was not renewed")
			}
		}
		return nil
	}
	mustAcquire(t, b, &observed, "run a on host-a")
	now.pass(2 * time.Second) // 21 s after b asked, 2 s after a renewed
	mustAcquire(t, b, &observed, "run a on host-a")
	if err := a.Check(); err != nil {
		t.Error(err)
	}
}

// TestLease_IsResumed: the same run gets its lease back at once, as after kill -9.
func TestLease_IsResumed(t *testing.T) {
	server, now := fakeapi.New(t), newClock()
	mustAcquire(t, wanting(server, "a", now), new(observation), "")
	again := wanting(server, "a", now)
	mustAcquire(t, again, new(observation), "")
	if again.Fence() != 1 || again.Check() != nil {
		t.Errorf("fence %d, %v", again.Fence(), again.Check())
	}
}

// TestLease_SurvivesLostResponse: a write whose response is lost, and that is repeated by
// the transport, meets its own result.
func TestLease_SurvivesLostResponse(t *testing.T) {
	for _, method := range []string{http.MethodPost, http.MethodPut} {
		t.Run(method, func(t *testing.T) {
			server, now := fakeapi.New(t), newClock()
			l := wanting(server, "a", now)
			if method == http.MethodPut {
				mustAcquire(t, l, new(observation), "")
			}
			var once sync.Once
			server.Before = func(req *http.Request) error {
				if req.Method != method {
					return nil
				}
				once.Do(func() { // the first time it arrives, its response is lost
					again := req.Clone(req.Context())
					again.Body, _ = req.GetBody()
					server.Respond(again)
				})
				return nil
			}
			mustAcquire(t, l, new(observation), "")
			if l.Fence() != 1 || l.Check() != nil {
				t.Errorf("fence %d, %v", l.Fence(), l.Check())
			}
		})
	}
}

// TestLease_IsTakenOnce: of two that find it free, one gets it.
func TestLease_IsTakenOnce(t *testing.T) {
	server, now := fakeapi.New(t), newClock()
	a, b := wanting(server, "a", now), wanting(server, "b", now)
	server.Before = func(req *http.Request) error {
		if req.Method == http.MethodPost {
			server.Before = nil
			mustAcquire(t, b, new(observation), "")
		}
		return nil
	}
	if _, err := a.tryAcquire(t.Context(), new(observation)); !errors.Is(err, errTaken) {
		t.Errorf("error = %v, want %v", err, errTaken)
	}
	if a.Check() == nil || b.Check() != nil {
		t.Errorf("a: %v, b: %v", a.Check(), b.Check())
	}
}

// TestLease_WaitTimeout: a lease that does not come free is a conflict that names the
// holder.
func TestLease_WaitTimeout(t *testing.T) {
	server, now := fakeapi.New(t), newClock()
	mustAcquire(t, wanting(server, "a", now), new(observation), "")
	b := wanting(server, "b", now)
	b.opts.Timing.RetryPeriod, b.opts.Timing.WaitTimeout, b.opts.Timing.LeaseDuration = time.Microsecond, time.Minute, time.Hour
	clock, reports := b.opts.Clock, 0
	b.opts.Clock = func() time.Time { // a minute of attempts, and a renewal before each
		server.Touch(leasePath)
		now.pass(10 * time.Second)
		return clock()
	}
	err := b.acquire(t.Context(), func(string) { reports++ })
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "run a on host-a") || reports != 1 {
		t.Errorf("error = %v after %d reports, want a conflict with run a on host-a after 1", err, reports)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("stopped")
	err = b.acquire(ctx, func(string) { cancel(cause) })
	if !errors.Is(err, cause) && !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want %v", err, cause)
	}
}
