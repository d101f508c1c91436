package lease

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
)

// TestLease_Model runs random histories of several Slipways with clocks that differ, a
// server that may be slow or lose responses, and processes that die. At every moment at
// most one holds the lease by its own Check.
func TestLease_Model(t *testing.T) {
	for seed := range seeds(t) {
		m := newModel(t, seed)
		for range 200 {
			m.step()
			if t.Failed() {
				t.Fatalf("seed %d:\n%s", seed, strings.Join(m.log, "\n"))
			}
		}
		if m.acquired == 0 {
			t.Errorf("seed %d: the lease was never acquired", seed)
		}
	}
}

// seeds returns how many histories are run: SLIPWAY_SEEDS, or a few.
func seeds(t *testing.T) uint64 {
	text := os.Getenv("SLIPWAY_SEEDS")
	if text == "" {
		return 50
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

type model struct {
	t        *testing.T
	random   *rand.Rand
	server   *fakeapi.Server
	players  []*player
	log      []string
	fence    int64
	acquired int
	nested   bool
}

type player struct {
	*Lease
	observed observation
	clock    *clock
	has      bool // it acquired the lease, and did not release it
	busy     bool // it waits for a response
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{t: t, random: rand.New(rand.NewPCG(seed, 1)), server: fakeapi.New(t)}
	for i := range 3 {
		c := newClock()
		c.pass(time.Duration(m.random.IntN(1000)-500) * time.Hour)
		m.players = append(m.players, &player{Lease: wanting(m.server, fmt.Sprint("run-", i), c), clock: c})
	}
	m.server.Before = func(*http.Request) error { m.disturb(); return nil }
	m.server.After = func(*http.Request) error {
		if m.random.IntN(10) == 0 {
			return errors.New("the response is lost")
		}
		return nil
	}
	return m
}

// disturb advances the clocks, and lets others act, while a request is in flight.
func (m *model) disturb() {
	m.pass(time.Duration(m.random.IntN(3000)) * time.Millisecond)
	if m.random.IntN(10) == 0 {
		m.pass(time.Duration(m.random.IntN(45)) * time.Second) // the server was away
	}
	if !m.nested && m.random.IntN(2) == 0 {
		m.nested = true
		m.step()
		m.nested = false
	}
}

func (m *model) pass(d time.Duration) {
	for _, p := range m.players {
		p.clock.pass(d)
	}
	m.checkHolders()
}

func (m *model) step() {
	p := m.players[m.random.IntN(len(m.players))]
	if p.busy {
		return
	}
	p.busy = true
	defer func() { p.busy = false }()
	switch n := m.random.IntN(12); {
	case n < 4 && !p.has:
		by, err := p.tryAcquire(m.t.Context(), &p.observed)
		if p.has = err == nil && by == ""; p.has {
			m.checkFence(p)
		}
		m.logf("%s tries: %q, %v", p.Holder(), by, err)
	case n < 8 && p.has:
		p.has = p.renew(m.t.Context())
		m.logf("%s renews: %v", p.Holder(), p.has)
	case n == 8 && p.has:
		p.has = false
		p.Forfeit("it was released")
		m.logf("%s releases: %v", p.Holder(), p.Release(m.t.Context()))
	case n == 9: // it dies, and is started again as the same run
		p.Lease, p.observed, p.has = wanting(m.server, p.Holder(), p.clock), observation{}, false
		m.logf("%s dies", p.Holder())
	default:
		m.pass(time.Duration(m.random.IntN(8000)) * time.Millisecond)
	}
	m.checkHolders()
}

// checkFence checks that fences grow with the holders.
func (m *model) checkFence(p *player) {
	m.acquired++
	p.mu.Lock()
	p.lost = ""
	p.mu.Unlock()
	if p.Fence() < m.fence {
		m.t.Errorf("%s has fence %d after %d", p.Holder(), p.Fence(), m.fence)
	}
	m.fence = p.Fence()
}

func (m *model) checkHolders() {
	var holders []string
	for _, p := range m.players {
		if p.Check() == nil {
			holders = append(holders, p.Holder())
		}
	}
	if len(holders) > 1 {
		m.t.Errorf("held by %v at the same time", holders)
	}
}

func (m *model) logf(format string, args ...any) {
	m.log = append(m.log, fmt.Sprintf(format, args...))
}
