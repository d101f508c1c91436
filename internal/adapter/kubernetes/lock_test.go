package kubernetes

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

const leasePath = "/apis/coordination.k8s.io/v1/namespaces/ns/leases/slipway-api-prod"

// clock is a machine's.
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

// wants is a run that wants the lock; its times are those of production.
func (a *api) wants(run string, c *clock) *lock {
	return &lock{times: LockTimes{}.complete(), api: a.cluster(), name: "slipway-api-prod", holder: run, host: "host-" + run, clock: c.time}
}

func mustTry(t *testing.T, l *lock, seen *watched, want string) {
	t.Helper()
	by, err := l.try(t.Context(), seen)
	if err != nil || by != want {
		t.Fatalf("the lock is held by %q (%v), want %q", by, err, want)
	}
}

func TestOneHolds(t *testing.T) {
	server, ours, theirs := newAPI(t), newClock(), newClock()
	theirs.pass(-72 * time.Hour) // their clock is wrong
	a, b := server.wants("a", ours), server.wants("b", theirs)
	var seen watched
	mustTry(t, a, new(watched), "")
	if err := a.check(); err != nil {
		t.Error(err)
	}
	for range 10 {
		mustTry(t, b, &seen, "run a on host-a")
		ours.pass(5 * time.Second)
		theirs.pass(5 * time.Second)
		if !a.renew(t.Context()) || a.check() != nil {
			t.Fatal("the holder could not renew it")
		}
	}
	if err := b.check(); !fault.Is(err, fault.Conflict) {
		t.Errorf("who never had it: %v", err)
	}
	if err := a.free(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustTry(t, b, &seen, "")
	if a.fence != 1 || b.fence != 2 {
		t.Errorf("fences %d, %d: want one more for each holder", a.fence, b.fence)
	}
	if err := a.free(t.Context()); err != nil { // it is not ours any more
		t.Fatal(err)
	}
	mustTry(t, a, new(watched), "run b on host-b")
}

// TestDeletedLock: a lock that somebody deleted goes on from the highest number
// that a Service bears, or every Service would refuse the next switch.
func TestDeletedLock(t *testing.T) {
	server := newAPI(t)
	for name, mark := range map[string]string{"api": "41.1750000000000", "old": "7.1", "plain": ""} {
		server.put("/api/v1/namespaces/ns/services/"+name, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{
				"name": name, "namespace": "ns", "labels": map[string]any{serviceLabel: "api"},
				"annotations": map[string]any{fenceMark: mark},
			},
		}})
	}
	l := server.wants("a", newClock())
	mustTry(t, l, new(watched), "")
	if l.fence != 42 {
		t.Errorf("fence %d, want 42", l.fence)
	}
}

// TestExpiry: who gives no sign of life for its time has lost the lock, by the
// clock of the one who waits, and knows it by its own.
func TestExpiry(t *testing.T) {
	server, ours, theirs := newAPI(t), newClock(), newClock()
	theirs.pass(72 * time.Hour)
	a, b := server.wants("a", ours), server.wants("b", theirs)
	mustTry(t, a, new(watched), "")
	var seen watched
	mustTry(t, b, &seen, "run a on host-a")
	ours.pass(a.times.Lasts)
	theirs.pass(a.times.Lasts)
	mustTry(t, b, &seen, "run a on host-a") // not yet: exactly its time
	if err := a.check(); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "could not be renewed") {
		t.Errorf("its time is over: %v", err)
	}
	if _, _, err := a.guard(t.Context()); !fault.Is(err, fault.Conflict) {
		t.Errorf("a change without the lock: %v", err)
	}
	theirs.pass(time.Millisecond)
	mustTry(t, b, &seen, "")
	if b.fence != 2 {
		t.Errorf("fence %d, want 2", b.fence)
	}
	if a.renew(t.Context()) {
		t.Error("a lost lock was renewed")
	}
	if err := a.check(); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "run b has it") {
		t.Errorf("somebody else has it: %v", err)
	}
	if err := b.check(); err != nil {
		t.Error(err)
	}
}

// TestSlowLook: an answer that took long (the API server was away) counts from
// when it came. Otherwise a lock would be taken for dead that was renewed while
// its state was on the way.
func TestSlowLook(t *testing.T) {
	server, now := newAPI(t), newClock()
	a, b := server.wants("a", now), server.wants("b", now)
	mustTry(t, a, new(watched), "")
	var seen watched
	server.before = func(req *http.Request) error {
		if req.Method == http.MethodGet {
			server.before = nil
			now.pass(a.times.Lasts - time.Second)
			if !a.renew(t.Context()) {
				t.Error("it was not renewed")
			}
		}
		return nil
	}
	mustTry(t, b, &seen, "run a on host-a")
	now.pass(2 * time.Second) // 21 s after b asked, 2 s after a renewed
	mustTry(t, b, &seen, "run a on host-a")
	if err := a.check(); err != nil {
		t.Error(err)
	}
}

// TestResume: the same run gets its lock back at once, as after kill -9.
func TestResume(t *testing.T) {
	server, now := newAPI(t), newClock()
	mustTry(t, server.wants("a", now), new(watched), "")
	again := server.wants("a", now)
	mustTry(t, again, new(watched), "")
	if again.fence != 1 || again.check() != nil {
		t.Errorf("fence %d, %v", again.fence, again.check())
	}
}

// TestLostAnswer: a write whose answer is lost, and that is sent again by the
// transport, meets its own result.
func TestLostAnswer(t *testing.T) {
	for _, method := range []string{http.MethodPost, http.MethodPut} {
		t.Run(method, func(t *testing.T) {
			server, now := newAPI(t), newClock()
			l := server.wants("a", now)
			if method == http.MethodPut {
				mustTry(t, l, new(watched), "")
			}
			var once sync.Once
			server.before = func(req *http.Request) error {
				if req.Method != method {
					return nil
				}
				once.Do(func() { // the first time it arrives, and nobody hears of it
					again := req.Clone(req.Context())
					again.Body, _ = req.GetBody()
					server.answer(again)
				})
				return nil
			}
			mustTry(t, l, new(watched), "")
			if l.fence != 1 || l.check() != nil {
				t.Errorf("fence %d, %v", l.fence, l.check())
			}
		})
	}
}

// TestQuicker: of two that see a free lock, one gets it.
func TestQuicker(t *testing.T) {
	server, now := newAPI(t), newClock()
	a, b := server.wants("a", now), server.wants("b", now)
	server.before = func(req *http.Request) error {
		if req.Method == http.MethodPost {
			server.before = nil
			mustTry(t, b, new(watched), "")
		}
		return nil
	}
	if _, err := a.try(t.Context(), new(watched)); !errors.Is(err, errTaken) {
		t.Errorf("error = %v, want %v", err, errTaken)
	}
	if a.check() == nil || b.check() != nil {
		t.Errorf("a: %v, b: %v", a.check(), b.check())
	}
}

// TestWaits: a lock that does not come free is a conflict that names the holder.
func TestWaits(t *testing.T) {
	server, now := newAPI(t), newClock()
	mustTry(t, server.wants("a", now), new(watched), "")
	b := server.wants("b", now)
	b.times.Asks, b.times.Waits, b.times.Lasts = time.Microsecond, time.Minute, time.Hour
	clock, said := b.clock, 0
	b.clock = func() time.Time { // a minute of looks, and a sign of life before each
		server.sign()
		now.pass(10 * time.Second)
		return clock()
	}
	err := b.take(t.Context(), func(string) { said++ })
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "run a on host-a") || said != 1 {
		t.Errorf("error = %v, said %d times", err, said)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("stopped")
	err = b.take(ctx, func(string) { cancel(why) })
	if !errors.Is(err, why) && !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want %v", err, why)
	}
}

// sign is a sign of life of whoever has the lock.
func (a *api) sign() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.put(leasePath, a.objects[leasePath])
}

// TestOwnTurn: a later run of the same process need not wait for the lock of the
// one before, which has lost it then.
func TestOwnTurn(t *testing.T) {
	server := newAPI(t)
	target := server.target(Config{})
	defer target.Close()
	order := port.DeployRequest{Service: "api", Environment: "prod", Run: "a"}
	first, err := target.hold(t.Context(), target.conn, order, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	order.Run = "b"
	second, err := target.hold(t.Context(), target.conn, order, func(said string) { t.Errorf("it waits: %s", said) })
	if err != nil {
		t.Fatal(err)
	}
	if first.check() == nil || second.check() != nil {
		t.Errorf("the first: %v, the second: %v", first.check(), second.check())
	}
	if again, err := target.hold(t.Context(), target.conn, order, func(string) {}); again != second || err != nil {
		t.Errorf("the same run has another lock: %v", err)
	}
}
