//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// keptMachines is how many machines are left on the disk after their commands.
const keptMachines = 4

// machines are where the commands of a project run, each on another one: with a fresh
// clone of the repository, an empty home and empty caches. What one leaves behind, the
// next one finds in the shared state, the registry and the cluster, or not at all. Only
// the Go toolchain's own caches stay: they would have to be filled each time.
type machines struct {
	p     *project
	goEnv []string

	mu     sync.Mutex
	number int
	ended  []string // folders of those whose command has ended
}

// useMachines makes each further command of the project run on another machine.
func (p *project) useMachines() {
	p.t.Helper()
	m := &machines{p: p}
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH"} {
		value, err := exec.Command("go", "env", name).Output()
		p.must(err)
		m.goEnv = append(m.goEnv, name+"="+strings.TrimSpace(string(value)))
	}
	p.machines = m
}

// next returns the working folder and the environment of a new machine, and a function
// to call when its command has ended.
func (m *machines) next() (dir string, env []string, end func()) {
	m.p.t.Helper()
	m.mu.Lock()
	m.number++
	n := m.number
	m.mu.Unlock()
	base := filepath.Join(m.p.base, fmt.Sprintf("machine%d", n))
	dir = filepath.Join(base, "repo")
	m.p.must(os.MkdirAll(filepath.Join(base, "home"), 0o755))
	m.p.git("clone", "-q", m.p.dir, dir)
	env = slices.Concat(m.p.env, m.goEnv, []string{
		"HOME=" + filepath.Join(base, "home"), "SLIPWAY_CACHE_DIR=" + filepath.Join(base, "cache"), fmt.Sprintf("SLIPWAY_ACTOR=tester%d", n),
	})
	return dir, env, func() { m.discard(base) }
}

// discard removes the oldest of the machines that have ended.
func (m *machines) discard(base string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = append(m.ended, base)
	if len(m.ended) > keptMachines {
		_ = removeTree(m.ended[0])
		m.ended = m.ended[1:]
	}
}
