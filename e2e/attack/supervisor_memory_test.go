//go:build linux

package attack

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// serviceSecret is the value of a variable that only the service is to have.
const serviceSecret = "planted-key-of-the-service-7f31"

// peek looks for a text in the environments and memories of all processes that it may
// look into, but its own, and prints where it is. The text comes in halves, so that it is
// not in this program's.
func peek(args []string) error {
	secret := []byte(args[0] + args[1])
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		command, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline")) // it has exited
		environ, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		looked, inMemory := memoryContains(pid, secret)
		fmt.Printf("looked: %v, environment: %v, memory: %v, service: %v, command: %q\n",
			looked, bytes.Contains(environ, secret), inMemory, bytes.Contains(environ, []byte("SLIPWAY_RELEASE=")), command)
	}
	return nil
}

// memoryContains looks for a text in what a process may write to.
func memoryContains(pid int, text []byte) (looked, found bool) {
	maps, _ := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid)) // it has exited, or is closed
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return false, false
	}
	defer memory.Close()
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") {
			continue
		}
		for at := from; at < to; at += 1 << 20 {
			part := make([]byte, min(to-at, 1<<20+int64(len(text))))
			n, _ := memory.ReadAt(part, at) // a part of the address space may have no memory
			looked = looked || n > 0
			found = found || bytes.Contains(part[:n], text)
		}
	}
	return looked, found
}

// TestSupervisorMemory: any process of the same user, such as a test of a pull request,
// reads what services are configured with from the memory of the supervisor, which has it
// for all services of the folder, and from what starts them.
func TestSupervisorMemory(t *testing.T) {
	l := newService(t)
	l.edit("slipway.yaml", "env: {", `env: {API_KEY: "${WEB_KEY}", `)
	l.commit("a key")
	l.with("WEB_KEY=another").deploy() // builds with a cache that is warm
	l.slipway("down", "--all").wantExit(0)
	victim := l.as(victimUID).with("WEB_KEY=" + serviceSecret)
	victim.give(l.repo)
	victim.give(filepath.Join(l.base, "cache"))
	victim.deploy()
	seen := victim.attacker("peek", serviceSecret[:10], serviceSecret[10:]).wantExit(0)
	services, launchers := 0, 0
	for line := range strings.Lines(seen.stdout) {
		slipway := strings.Contains(line, `command: "slipway\x00`)
		switch {
		case strings.Contains(line, "service: true"):
			services++
		case slipway && strings.Contains(line, `\x00supervise\x00`) && strings.Contains(line, "looked: true"):
			t.Errorf("the supervisor's memory can be read: %s", line)
		case slipway && strings.Contains(line, `\x00launch-containers\x00`) && strings.Contains(line, "looked: true"):
			launchers++
		}
		if slipway && (strings.Contains(line, "environment: true") || strings.Contains(line, "memory: true")) {
			t.Errorf("the secret of a service is seen in %s", line)
		}
	}
	if services == 0 || launchers == 0 {
		t.Errorf("%d services and %d processes that start them were looked into, want some of both:\n%s", services, launchers, seen)
	}
	victim.slipway("status", "--env", "prod").wantExit(0).wantText("web")
	if listed := victim.slipway("ps"); !strings.Contains(listed.String(), "web") {
		t.Errorf("slipway ps does not show what runs: %s", listed)
	}
	victim.slipway("down", "--all").wantExit(0)
	if !l.eventually(5*time.Second, func() bool { return len(l.processes("launch-containers")) == 0 }) { // it ends with the supervisor
		t.Errorf("processes that start containers after slipway down: %v", l.processes("launch-containers"))
	}
}
