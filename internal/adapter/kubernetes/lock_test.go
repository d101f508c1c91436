package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

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
	order := port.Order{Service: "api", Environment: "prod", Run: "a"}
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

// TestNeverTwo plays random histories of several Slipways with clocks that differ,
// a server that may be slow or lose answers, and processes that die. Who holds the
// lock by its own check is alone at every moment.
func TestNeverTwo(t *testing.T) {
	for seed := range uint64(200) {
		g := newGame(t, seed)
		for range 200 {
			g.move()
			if t.Failed() {
				t.Fatalf("seed %d:\n%s", seed, strings.Join(g.story, "\n"))
			}
		}
		if g.taken == 0 {
			t.Errorf("seed %d: nobody ever had the lock", seed)
		}
	}
}

type game struct {
	t       *testing.T
	random  *rand.Rand
	server  *api
	players []*player
	story   []string
	fence   int64
	taken   int
	nested  bool
}

type player struct {
	*lock
	seen  watched
	clock *clock
	has   bool // it took the lock, and did not let go
	busy  bool // it waits for an answer
}

func newGame(t *testing.T, seed uint64) *game {
	g := &game{t: t, random: rand.New(rand.NewPCG(seed, 1)), server: newAPI(t)}
	for i := range 3 {
		c := newClock()
		c.pass(time.Duration(g.random.IntN(1000)-500) * time.Hour)
		g.players = append(g.players, &player{lock: g.server.wants(fmt.Sprint("run-", i), c), clock: c})
	}
	g.server.before = func(*http.Request) error { g.disturb(); return nil }
	g.server.after = func(*http.Request) error {
		if g.random.IntN(10) == 0 {
			return errors.New("the answer is lost")
		}
		return nil
	}
	return g
}

// disturb lets time pass, and others act, while a request is on its way.
func (g *game) disturb() {
	g.pass(time.Duration(g.random.IntN(3000)) * time.Millisecond)
	if g.random.IntN(10) == 0 {
		g.pass(time.Duration(g.random.IntN(45)) * time.Second) // the server was away
	}
	if !g.nested && g.random.IntN(2) == 0 {
		g.nested = true
		g.move()
		g.nested = false
	}
}

func (g *game) pass(d time.Duration) {
	for _, p := range g.players {
		p.clock.pass(d)
	}
	g.alone()
}

func (g *game) move() {
	p := g.players[g.random.IntN(len(g.players))]
	if p.busy {
		return
	}
	p.busy = true
	defer func() { p.busy = false }()
	switch n := g.random.IntN(12); {
	case n < 4 && !p.has:
		by, err := p.try(g.t.Context(), &p.seen)
		if p.has = err == nil && by == ""; p.has {
			g.took(p)
		}
		g.tell("%s tries: %q, %v", p.holder, by, err)
	case n < 8 && p.has:
		p.has = p.renew(g.t.Context())
		g.tell("%s renews: %v", p.holder, p.has)
	case n == 8 && p.has:
		p.has = false
		p.lose("it was let go")
		g.tell("%s lets go: %v", p.holder, p.free(g.t.Context()))
	case n == 9: // it dies, and is started again as the same run
		p.lock, p.seen, p.has = g.server.wants(p.holder, p.clock), watched{}, false
		g.tell("%s dies", p.holder)
	default:
		g.pass(time.Duration(g.random.IntN(8000)) * time.Millisecond)
	}
	g.alone()
}

// took checks that fences grow with the holders.
func (g *game) took(p *player) {
	g.taken++
	p.mu.Lock()
	p.lost = ""
	p.mu.Unlock()
	if p.fence < g.fence {
		g.t.Errorf("%s has fence %d after %d", p.holder, p.fence, g.fence)
	}
	g.fence = p.fence
}

func (g *game) alone() {
	var holders []string
	for _, p := range g.players {
		if p.check() == nil {
			holders = append(holders, p.holder)
		}
	}
	if len(holders) > 1 {
		g.t.Errorf("%v hold it at a time", holders)
	}
}

func (g *game) tell(format string, args ...any) {
	g.story = append(g.story, fmt.Sprintf(format, args...))
}
