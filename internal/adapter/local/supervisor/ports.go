//go:build linux

package supervisor

import (
	"hash/fnv"
	"net"
	"os"
	"strconv"
	"sync"

	"github.com/slipway-cd/slipway/internal/fault"
)

// The ranges are below the ephemeral ports of Linux (32768 and above), so that no
// outgoing connection can take a port.
const (
	minStable, numStable   = 18000, 2000
	minReplica, numReplica = 20000, 12000
)

// maxPortTries is how often another port is chosen if one was taken meanwhile.
const maxPortTries = 10

// ports allocates loopback ports for replicas.
type ports struct {
	stableMu sync.Mutex // held while a stable port is chosen

	mu    sync.Mutex
	next  int
	taken map[int]net.Listener // reserves the port against other supervisors
}

// acquire returns a free port that is not allocated by any supervisor of this
// machine. Until the replica listens on it, an abstract Unix socket named after
// the port reserves it: abstract sockets have the same scope as ports (the
// network namespace, all users), and the kernel removes them with their holder.
func (p *ports) acquire() (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken == nil {
		p.taken = map[int]net.Listener{}
		p.next = os.Getpid() // supervisors start at different ports
	}
	for range numReplica {
		p.next++
		n := minReplica + p.next%numReplica
		hold, err := net.Listen("unix", "@slipway-port-"+strconv.Itoa(n))
		if err != nil {
			continue
		}
		if isFree(n) {
			p.taken[n] = hold
			return n, nil
		}
		hold.Close()
	}
	return 0, fault.New(fault.Exhausted, "find a free port: all ports from %d to %d are in use", minReplica, minReplica+numReplica-1)
}

func (p *ports) release(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if hold, ok := p.taken[n]; ok {
		hold.Close()
		delete(p.taken, n)
	}
}

// stablePort chooses the port of a new environment: the same one each time,
// unless it is in use.
func stablePort(key string, reserved map[int]bool) (int, error) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key)) // never fails
	start := int(h.Sum32() % numStable)
	for i := range numStable {
		n := minStable + (start+i)%numStable
		if !reserved[n] && isFree(n) {
			return n, nil
		}
	}
	return 0, fault.New(fault.Exhausted, "find a free port for %s: all ports from %d to %d are in use", key, minStable, minStable+numStable-1).
		Hint("set `port` of the local target")
}

// isFree reports whether a service could listen on the port on all addresses.
func isFree(n int) bool {
	l, err := net.Listen("tcp", ":"+strconv.Itoa(n))
	if err != nil {
		return false
	}
	l.Close()
	return true
}

// portInUseError explains why the port could not be opened.
func portInUseError(n int, err error) error {
	who := "another process"
	if found := findListener("/proc", n); found != "" {
		who = found
	}
	return fault.New(fault.Conflict, "listen on port %d of the local target: in use by %s", n, who).
		Hint("stop that process, or set a different `port` for this environment").Cause(err)
}
