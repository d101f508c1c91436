//go:build linux

package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/slipway-cd/slipway/internal/adapter/local/container"
)

// findListener describes the process that listens on a port: "process 123
// (nginx)". It returns "" if the process cannot be found, for example because it
// belongs to another user.
func findListener(proc string, n int) string {
	open := listeners(proc, n)
	who := findHolder(proc, open)
	if who == "" && len(open) > 0 {
		who = findSupervisor(proc, n)
	}
	return who
}

// findSupervisor describes the other supervisor of this user that serves an environment on
// the port: its open files are closed to others.
func findSupervisor(proc string, n int) string {
	for _, s := range Instances(proc) {
		for _, e := range s.State.Environments {
			if e.Port == n && e.ShouldRun() && s.PID != os.Getpid() {
				return s.String()
			}
		}
	}
	return ""
}

// listeners returns the sockets ("socket:[123]") that take connections to the
// port on 127.0.0.1.
func listeners(proc string, n int) map[string]bool {
	found := map[string]bool{}
	for _, l := range container.Listeners(proc) {
		if l.Accepts(n) {
			found[l.Socket] = true
		}
	}
	return found
}

// findHolder describes a process that holds one of the sockets.
func findHolder(proc string, sockets map[string]bool) string {
	if len(sockets) == 0 {
		return ""
	}
	links, _ := filepath.Glob(filepath.Join(proc, "[0-9]*/fd/*")) // the pattern is well-formed
	for _, link := range links {
		to, err := os.Readlink(link)
		if err != nil || !sockets[to] {
			continue
		}
		pid := filepath.Base(filepath.Dir(filepath.Dir(link)))
		if n, err := strconv.Atoi(pid); err == nil && n != os.Getpid() {
			if who := describeProcess(proc, n); who != "" {
				return who
			}
		}
		comm, _ := os.ReadFile(filepath.Join(proc, pid, "comm")) // it may have exited
		return fmt.Sprintf("process %s (%s)", pid, strings.TrimSpace(string(comm)))
	}
	return ""
}

// socketHolder is a container, which knows its sockets.
type socketHolder interface {
	Sockets() (held map[string]bool, complete bool)
}

// strangerOn describes the process outside of the container that takes
// connections to the port, or returns "". A process that hides its sockets gets
// the benefit of the doubt.
func strangerOn(proc string, n int, b socketHolder) string {
	open := listeners(proc, n)
	held, complete := b.Sockets()
	for socket := range held {
		delete(open, socket)
	}
	if len(open) == 0 {
		return ""
	}
	if who := findHolder(proc, open); who != "" || !complete {
		return who
	}
	return "another process"
}
