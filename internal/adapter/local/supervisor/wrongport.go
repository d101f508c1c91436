//go:build linux

package supervisor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-cd/slipway/internal/adapter/local/container"
	"github.com/slipway-cd/slipway/internal/fault"
)

// portTakenError means that another process took the replica's port.
type portTakenError struct {
	port int
	by   string
}

func (e *portTakenError) Error() string {
	return fmt.Sprintf("listen on port %d: in use by %s", e.port, e.by)
}

// wrongPortError means that the service listens, but not where it should.
type wrongPortError struct {
	listens  []container.Listener
	ready    int // port on which it is ready; 0: not known
	expected int // PORT
}

// Error names the port on which it is ready, or else all that it listens on.
func (e *wrongPortError) Error() string {
	where := strconv.Itoa(e.ready)
	if e.ready == 0 {
		var all []string
		for _, l := range e.listens {
			name := l.Address.String()
			if l.IsLocal() {
				name = strconv.Itoa(int(l.Address.Port()))
			}
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
		where = fault.Enumerate(all)
	}
	return fmt.Sprintf("the service listens on %s, but PORT is %d", where, e.expected)
}

// Hint returns what to do.
func (e *wrongPortError) Hint() string {
	at := e.ready
	for _, l := range e.listens {
		if int(l.Address.Port()) == e.expected {
			return fmt.Sprintf("let it listen on 0.0.0.0:%d: its address is reached through 127.0.0.1", e.expected)
		}
	}
	if ports := e.ports(); at == 0 && len(ports) == 1 {
		at = ports[0]
	}
	if at == 0 {
		return "set deploy.port to the one that takes requests, or let the service read PORT"
	}
	return fmt.Sprintf("set deploy.port: %d in slipway.yaml, or let the service read PORT", at)
}

// ports returns the ports that it listens on, each once.
func (e *wrongPortError) ports() (ports []int) {
	for _, l := range e.listens {
		ports = append(ports, int(l.Address.Port()))
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// findWrongPort returns a wrongPortError if the container listens, but no
// connection to its port reaches it; otherwise nil.
func (e endpoint) findWrongPort() *wrongPortError {
	listening := e.container.Listeners()
	if len(listening) == 0 || slices.ContainsFunc(listening, func(l container.Listener) bool { return l.Accepts(e.port) }) {
		return nil
	}
	return &wrongPortError{listens: listening, expected: e.port}
}

// readOnlyHint returns what to do if a write to the root file system failed, by the
// last lines of a log; otherwise "".
func readOnlyHint(lines []string) string {
	for _, line := range lines {
		if strings.Contains(line, "Read-only file system") || strings.Contains(line, "read-only file system") || strings.Contains(line, "EROFS") {
			return "the root file system of the service is read-only: let it write to /tmp, or set deploy.read_only: false in slipway.yaml"
		}
	}
	return ""
}
