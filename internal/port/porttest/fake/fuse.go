// Package fake holds ports in memory, for tests of those who use ports: they
// keep the promises of package port, are safe for concurrent use, and can be
// told to fail, or to be killed in the middle.
package fake

import "sync"

// Fuse kills the process, as far as a test can tell, at one call of a port: it
// panics with Killed before or after the call's effect. A nil Fuse never burns.
type Fuse struct {
	mu    sync.Mutex
	at    int
	after bool
	calls int
}

// Killed is the value that a burnt fuse panics with.
type Killed struct{}

// NewFuse burns at the given call (1, 2...) of all ports that share it.
func NewFuse(at int, after bool) *Fuse { return &Fuse{at: at, after: after} }

// Survive runs do and reports whether a fuse killed it.
func Survive(do func()) (killed bool) {
	defer func() {
		if p := recover(); p != nil {
			if _, ours := p.(Killed); !ours {
				panic(p)
			}
			killed = true
		}
	}()
	do()
	return false
}

// call counts one call of a port; the caller defers the result.
func (f *Fuse) call() func() {
	if f == nil {
		return func() {}
	}
	f.mu.Lock()
	f.calls++
	now := f.calls == f.at
	f.mu.Unlock()
	if now && !f.after {
		panic(Killed{})
	}
	return func() {
		if now {
			panic(Killed{})
		}
	}
}
