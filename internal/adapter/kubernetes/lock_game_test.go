package kubernetes

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"
)

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
