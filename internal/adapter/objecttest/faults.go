package objecttest

import (
	"context"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Fault is what goes wrong with one request.
type Fault string

// Faults that a request may meet. Folders and PostgreSQL have no responses like the last
// three: there the request is lost instead.
const (
	None         Fault = ""
	LostRequest  Fault = "lost request"  // the connection breaks before the server has it
	LostResponse Fault = "lost response" // the connection breaks after the server has carried it out
	Slow         Fault = "slow"
	Busy         Fault = "busy"         // 503
	Precondition Fault = "precondition" // 412 for a write, although its condition holds
	Conflict     Fault = "conflict"     // 409 for a write, or 429 where the service collides with that
)

// ReadFaults lists the faults that a request may meet.
func ReadFaults() []Fault { return []Fault{LostRequest, LostResponse, Slow, Busy} }

// WriteFaults lists the faults that a request may meet which changes something.
func WriteFaults() []Fault { return append(ReadFaults(), Precondition, Conflict) }

// slowness is how long a slow request takes.
const slowness = 200 * time.Millisecond

// Faults decides what goes wrong. The zero value is a way on which nothing does.
type Faults struct {
	mu     sync.Mutex
	choose func(writes bool) Fault
	seen   map[Fault]int
}

// Set has choose called for each request from now on; nil: nothing goes wrong.
func (f *Faults) Set(choose func(writes bool) Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.choose = choose
}

// Rotate has about every third write and every sixth read meet a fault, each in its
// turn. Which of them is random, by the seed: a client that repeats the same requests
// must not meet the same fault for ever.
func (f *Faults) Rotate(seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	writes, reads := 0, 0
	f.Set(func(isWrite bool) Fault {
		switch {
		case isWrite && random.IntN(3) == 0:
			writes++
			return WriteFaults()[writes%len(WriteFaults())]
		case !isWrite && random.IntN(6) == 0:
			reads++
			return ReadFaults()[reads%len(ReadFaults())]
		}
		return None
	})
}

// Away has the server out of reach until Set is called.
func (f *Faults) Away() { f.Set(func(bool) Fault { return LostRequest }) }

// Seen returns how many requests met each fault.
func (f *Faults) Seen() map[Fault]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.seen)
}

// next is what the next request meets.
func (f *Faults) next(writes bool) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.choose == nil {
		return None
	}
	if f.seen == nil {
		f.seen = map[Fault]int{}
	}
	met := f.choose(writes)
	f.seen[met]++
	return met
}

type response struct {
	status int
	body   string
	code   string // of Azure
}

func (r response) write(w http.ResponseWriter) {
	if r.code != "" {
		w.Header().Set("x-ms-error-code", r.code)
	}
	w.WriteHeader(r.status)
	io.WriteString(w, r.body)
}

type responses struct{ precondition, conflict, busy response }

// handler is the server behind the faults.
func (f *Faults) handler(server http.Handler, errors responses) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch f.next(r.Method != http.MethodGet && r.Method != http.MethodHead) {
		case LostRequest:
			panic(http.ErrAbortHandler)
		case LostResponse:
			server.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		case Slow:
			time.Sleep(slowness)
			server.ServeHTTP(w, r)
		case Precondition:
			errors.precondition.write(w)
		case Conflict:
			errors.conflict.write(w)
		case Busy:
			errors.busy.write(w)
		default:
			server.ServeHTTP(w, r)
		}
	})
}

// unreliable is a store that no wire leads to, behind the faults.
type unreliable struct {
	port.ObjectStore
	faults *Faults
}

func (u unreliable) call(method, key string, do func() error) error {
	met := u.faults.next(method != "open" && method != "list")
	if met == Slow {
		time.Sleep(slowness)
	}
	if met == None || met == Slow || met == LostResponse {
		if err := do(); err != nil || met != LostResponse {
			return err
		}
	}
	return fault.New(fault.Unavailable, "%s %s: input/output error", method, key)
}

// Create implements port.ObjectStore.
func (u unreliable) Create(ctx context.Context, key string, content []byte) error {
	return u.call("create", key, func() error { return u.ObjectStore.Create(ctx, key, content) })
}

// Put implements port.ObjectStore.
func (u unreliable) Put(ctx context.Context, key string, content io.Reader) error {
	return u.call("store", key, func() error { return u.ObjectStore.Put(ctx, key, content) })
}

// Open implements port.ObjectStore.
func (u unreliable) Open(ctx context.Context, key string) (r io.ReadCloser, o port.Object, err error) {
	err = u.call("open", key, func() (err error) {
		r, o, err = u.ObjectStore.Open(ctx, key)
		return err
	})
	if err != nil && r != nil {
		r.Close()
		r = nil
	}
	return r, o, err
}

// List implements port.ObjectStore.
func (u unreliable) List(ctx context.Context, prefix, after string, limit int) (found []port.Object, err error) {
	err = u.call("list", prefix, func() (err error) {
		found, err = u.ObjectStore.List(ctx, prefix, after, limit)
		return err
	})
	return found, err
}

// Delete implements port.ObjectStore.
func (u unreliable) Delete(ctx context.Context, key string) error {
	return u.call("delete", key, func() error { return u.ObjectStore.Delete(ctx, key) })
}
