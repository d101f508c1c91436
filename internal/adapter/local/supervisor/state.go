//go:build linux

package supervisor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/atomicfile"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

const stateSchema = 1

// State is the desired state, stored in state.json.
type State struct {
	Schema       int                         `json:"schema"`
	Environments map[string]EnvironmentState `json:"environments"` // by EnvironmentKey
	Unknown      delivery.Unknown            `json:"-"`
}

// EnvironmentState is the desired state of one environment.
type EnvironmentState struct {
	Service     string               `json:"service"`
	Environment delivery.Environment `json:"environment"`
	Port        int                  `json:"port"`
	FixedPort   bool                 `json:"fixed_port,omitempty"` // the user has set Port
	Promoted    *ReleaseSpec         `json:"promoted,omitempty"`
	Staged      *ReleaseSpec         `json:"staged,omitempty"`
	Unknown     delivery.Unknown     `json:"-"`
}

// ShouldRun reports whether any release should run.
func (e EnvironmentState) ShouldRun() bool { return e.Promoted != nil || e.Staged != nil }

// choosesPort reports whether the port was chosen here. A state of an earlier
// version does not say so: then it is one of the range to choose from.
func (e EnvironmentState) choosesPort() bool {
	return !e.FixedPort && e.Port >= minStable && e.Port < minStable+numStable
}

// request returns what starts a saved release again.
func (e EnvironmentState) request(p ReleaseSpec) ReleaseRequest {
	return ReleaseRequest{Service: e.Service, Environment: e.Environment, Release: p.Release, Port: e.Port, Spec: p.Spec}
}

// ReleaseSpec is a release that should run.
type ReleaseSpec struct {
	Release delivery.ReleaseID `json:"release"`
	Spec    Spec               `json:"spec"`
	Unknown delivery.Unknown   `json:"-"`
}

// ReadState reads the state of a folder. It is empty if the file does not exist.
func ReadState(dir string) (State, error) {
	path := filepath.Join(dir, "state.json")
	s := State{Schema: stateSchema, Environments: map[string]EnvironmentState{}}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("read the state of the local target: %w", err)
	}
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&s); err != nil {
		return s, fault.New(fault.Corrupt, "read %s", path).
			Hint("move the file away and deploy again; release records are stored elsewhere and not affected").Cause(err)
	}
	if s.Schema > stateSchema {
		return s, fault.New(fault.Conflict, "read %s: it was written by a newer Slipway", path).Hint("use that version, or a later one")
	}
	if s.Environments == nil {
		s.Environments = map[string]EnvironmentState{}
	}
	for _, e := range s.Environments { // the folder may have been moved
		if err := errors.Join(e.Promoted.relocate(dir), e.Staged.relocate(dir)); err != nil {
			return s, err
		}
	}
	return s, nil
}

// store keeps the state in memory and on disk.
type store struct {
	dir   string
	check func() error // why nothing can be saved; nil: not known

	show func(name string, f *os.File) error // see Config.Show

	mu    sync.Mutex
	state State
}

func newStore(cfg *Config, state State) *store {
	s := &store{dir: cfg.Dir, check: cfg.folder.check, show: cfg.Show, state: state}
	s.publish()
	return s
}

// memoryFile is the name of the file in memory in which a supervisor keeps what it runs:
// the one in the folder can be moved, removed or out of date on a full disk.
const memoryFile = "slipway-supervisor-state"

// publish keeps what this supervisor runs in memory, for Instances. The caller holds mu.
// An error loses only what commands can show.
func (s *store) publish() {
	raw, err := json.Marshal(s.state)
	if err != nil || s.show == nil {
		return
	}
	fd, err := unix.MemfdCreate(memoryFile, unix.MFD_CLOEXEC)
	if err != nil {
		return
	}
	next := os.NewFile(uintptr(fd), memoryFile)
	if _, err := next.Write(raw); err != nil {
		next.Close()
		return
	}
	_ = s.show(memoryFile, next)
}

// set changes the state in memory. The caller holds mu.
func (s *store) set(next State) {
	s.state = next
	s.publish()
}

func (s *store) get(key string) (EnvironmentState, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.state.Environments[key]
	return e, ok
}

func (s *store) all() map[string]EnvironmentState {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]EnvironmentState, len(s.state.Environments))
	for k, e := range s.state.Environments {
		all[k] = e
	}
	return all
}

// put saves the state of an environment, on disk first. remove deletes it.
func (s *store) put(key string, e EnvironmentState) error { return s.change(key, &e) }

func (s *store) remove(key string) error { return s.change(key, nil) }

// unstage is put for an environment without a staged release. It takes effect even
// if it can't be saved, or a full disk would keep a failed release running: then
// a supervisor that is restarted before the next put starts it again, without
// traffic.
func (s *store) unstage(key string, e EnvironmentState) error {
	err := s.put(key, e)
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.set(s.with(key, &e))
	}
	return err
}

// with returns the state with an environment changed, or deleted. The caller holds
// mu.
func (s *store) with(key string, e *EnvironmentState) State {
	next := State{Schema: stateSchema, Unknown: s.state.Unknown, Environments: make(map[string]EnvironmentState, len(s.state.Environments)+1)}
	for k, old := range s.state.Environments {
		next.Environments[k] = old
	}
	delete(next.Environments, key)
	if e != nil {
		next.Environments[key] = *e
	}
	return next
}

func (s *store) change(key string, e *EnvironmentState) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.with(key, e)
	raw, err := json.MarshalIndent(next, "", "  ")
	if err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(s.dir, "state.json"), append(raw, '\n'), 0o600); err != nil {
		if s.check != nil {
			if lost := s.check(); lost != nil {
				return lost
			}
		}
		return fault.New(fault.Exhausted, "save the state of the local target").Hint("nothing was changed; is the disk full?").Cause(err)
	}
	s.set(next)
	return nil
}

// relocate makes the paths of a release valid in the folder.
func (p *ReleaseSpec) relocate(dir string) (err error) {
	if p == nil {
		return nil
	}
	if p.Spec.Rootfs, err = inFolder(dir, "rootfs", p.Spec.Rootfs); err != nil {
		return err
	}
	p.Spec.Model, err = inFolder(dir, "models", p.Spec.Model)
	return err
}
