//go:build e2e && linux

package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func requireState(t *testing.T, before string) {
	t.Helper()
	if after := machineState(t); after != before {
		t.Errorf("the state of the machine was\n%s\nand is now\n%s", before, after)
	}
}

// machineState returns everything that a cluster could leave behind, as text.
func machineState(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for name := range sysctls {
		value, err := os.ReadFile(filepath.Join("/proc/sys", name))
		fmt.Fprintln(&b, name, string(value), err)
	}
	lines := strings.Split(b.String(), "\n")
	for _, path := range []string{"/proc/self/mountinfo", "/proc/net/route"} {
		content, err := os.ReadFile(path)
		must(t, err)
		lines = append(lines, string(content))
	}
	for _, pattern := range []string{"/sys/class/net/*", cgroupMount + "/*/*", cgroupMount + "/*", "/var/lib/*", "/var/log/*", "/run/netns/*", filepath.Join(os.TempDir(), tempPrefix+"*")} {
		found, err := filepath.Glob(pattern)
		must(t, err)
		lines = append(lines, found...)
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n")
}

// memoryKB returns the memory of all processes in the cluster's network namespace;
// shared memory is counted once.
func memoryKB(c *Cluster) (kb int) {
	n, ok := c.backend.(*node)
	if !ok {
		return 0
	}
	for _, pid := range findProcesses(func(pid int) bool { id, err := netnsOf(pid); return err == nil && id == n.Net }) {
		content, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		for line := range strings.Lines(string(content)) {
			var pss int
			if _, err := fmt.Sscanf(line, "Pss: %d kB", &pss); err == nil {
				kb += pss
			}
		}
	}
	return kb
}
