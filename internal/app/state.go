package app

import (
	"cmp"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
)

// NoState is the value of --state and SLIPWAY_STATE for the state of this machine alone,
// whatever slipway.yaml names.
const NoState = "none"

// placeState finds the place that machines share, and which machine this is.
func (a *App) placeState(place *Workspace, project config.Project, preview bool) error {
	location, base := a.State, a.Dir
	if location == "" {
		fromEnv, _ := a.getenv("SLIPWAY_STATE")
		location, base = cmp.Or(fromEnv, project.State.URL), place.Repository
	}
	if location == "" || location == NoState {
		return nil
	}
	u, _, err := a.Kinds.ParseStateURL(location)
	if err != nil {
		return err
	}
	place.State, place.ReadOnly = absoluteState(u, location, base), preview
	for _, name := range project.EnvironmentNames() {
		env := delivery.Environment(name)
		if target, err := a.Kinds.Target(project.Environments[env].Target.Kind); err == nil && target.OnMachine {
			place.MachineEnvironments = append(place.MachineEnvironments, env)
		}
	}
	place.Machine, err = identifyMachine(place.Home, preview)
	return err
}

// isOnMachine reports whether the environment is of this machine alone, although others
// share the state.
func (s *session) isOnMachine(env delivery.Environment) bool {
	return slices.Contains(s.workspace.MachineEnvironments, env)
}

func machineOnly(env delivery.Environment) string {
	return fmt.Sprintf("%s is of this machine only: each machine that shares the state has a separate %s", env, env)
}

// absoluteState makes the path of a folder absolute.
func absoluteState(u *url.URL, text, base string) string {
	if u.Scheme != "" || filepath.IsAbs(u.Path) {
		return text
	}
	return filepath.Join(base, filepath.FromSlash(u.Path))
}

// hasRecords reports whether the state folder has records, or a view of shared ones.
func hasRecords(home string) bool {
	for _, pattern := range []string{"slipway.db*", filepath.Join(viewsName, "*.db")} {
		if found, _ := filepath.Glob(filepath.Join(home, pattern)); len(found) > 0 { // the pattern is valid
			return true
		}
	}
	return false
}

// viewsName is the folder of the views of shared states, in the state folder.
const viewsName = "state"

// Views is the folder of this machine's views of shared states.
func (w Workspace) Views() string { return filepath.Join(w.Home, viewsName) }

// RecordsPath is the file of the records that this machine has for itself, or of the copy
// that is worked on.
func (w Workspace) RecordsPath() string { return cmp.Or(w.Records, recordsPath(w.Home)) }

// nameState is a place for people, also of one that can't be opened here.
func (s *session) nameState(location string) string {
	if location == "" {
		return "no shared state"
	}
	u, _, err := s.app.Kinds.ParseStateURL(location)
	if err != nil {
		return "another one"
	}
	return extension.StateName(u)
}
