//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/objecttest"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

// stateDrivers are where the tests keep the state that machines share: SLIPWAY_E2E_STATE
// names them, separated by commas. By default, those that need nothing on this machine.
func stateDrivers() []string {
	if names := os.Getenv("SLIPWAY_E2E_STATE"); names != "" {
		return strings.Split(names, ",")
	}
	return []string{"folder", "s3"}
}

// inGate reports whether the tests are part of `make e2e`. Then they don't wait twice for
// what takes a minute.
func inGate() bool { return os.Getenv("SLIPWAY_E2E_STATE") == "" }

// eachDriver runs the test with each driver, in parallel.
func eachDriver(t *testing.T, test func(t *testing.T, driver string)) {
	t.Helper()
	for _, driver := range stateDrivers() {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			test(t, driver)
		})
	}
}

// stateProject is a service in a cluster whose every command runs on another machine.
// The machines share the state, a registry and the cluster, and nothing else.
type stateProject struct {
	*clusterProject
	location string
	store    port.ObjectStore // the state, as the test looks at it
}

// newStateProject moves the tiny service to a cluster, and its state to the driver's.
func newStateProject(t *testing.T, driver string) *stateProject {
	t.Helper()
	p := newTinyProject(t)
	s := shareState(t, p, driver)
	s.edit("slipway.yaml", "repository: tiny", fmt.Sprintf("repository: %s/tiny", s.registry))
	s.edit("slipway.yaml", "within: 5s", "within: 30s")
	s.commit("deploy to the cluster, and share the state")
	return s
}

// shareState gives the project a namespace, a registry and a shared state.
func shareState(t *testing.T, p *project, driver string) *stateProject {
	t.Helper()
	server := objecttest.Start(t, driver)
	const prefix = "team/tiny"
	s := &stateProject{clusterProject: newNamespace(t, p), location: server.Location(prefix), store: server.Open(t, prefix)}
	s.registry = startRegistry(t, s.cluster)
	s.env = append(s.env, server.Environ...)
	s.useTarget(fmt.Sprintf("{kubernetes: {namespace: %s}}", s.namespace))
	s.edit("slipway.yaml", "version: 1\n", fmt.Sprintf("version: 1\nstate: %q\n", s.location))
	s.useMachines()
	return s
}

// openRecords opens the records on a machine of the test's own.
func (s *stateProject) openRecords(ctx context.Context) (*sqlite.Store, error) {
	log, err := statelog.Open(ctx, s.store, time.Now())
	if err != nil {
		return nil, err
	}
	return sqlite.OpenView(ctx, filepath.Join(s.base, "view"), "tiny", nil, log, 0)
}

// keys lists the objects of the state.
func (s *stateProject) keys(prefix string) []string {
	s.t.Helper()
	found, err := s.store.List(s.t.Context(), prefix, "", 1<<20)
	s.must(err)
	var keys []string
	for _, o := range found {
		keys = append(keys, o.Key)
	}
	return keys
}

// forgetBeats removes what the owners of runs left as a sign of life. For a machine that
// looks for an owner afterwards, it is as if the owner's timeout had passed.
func (s *stateProject) forgetBeats() {
	s.t.Helper()
	for _, key := range s.keys("beat/") {
		s.must(s.store.Delete(s.t.Context(), key))
	}
}

// wantVerified checks the log, its snapshots and the blobs, on another machine.
func (s *stateProject) wantVerified() {
	s.t.Helper()
	s.slipway("state", "verify").wantExit(0)
}

// takeOver resumes the run on other machines, until one may: while its owner may be
// alive, that is refused. It returns how the run ended, and how long it took until then.
func (s *stateProject) takeOver(run string, within time.Duration) (result, time.Duration) {
	s.t.Helper()
	for begun := time.Now(); ; time.Sleep(time.Second) {
		tried := time.Now()
		r := s.slipway("run", "--resume", run, "--json")
		if r.report.Outcome != "" {
			return r, tried.Sub(begun)
		}
		if r.code != 2 || tried.Sub(begun) > within {
			s.t.Fatalf("run %s could not be taken over in %s\n%s", run, time.Since(begun), r)
		}
	}
}

// steps are the steps that a command's run began.
func (r result) steps() []string {
	var names []string
	for _, e := range r.events {
		if e.Kind == "step.started" && !slices.Contains(names, e.Step) {
			names = append(names, e.Step)
		}
	}
	return names
}
