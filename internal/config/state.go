package config

import (
	"net/url"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
)

// State is where machines share the project's records, and what is done there.
type State struct {
	URL    string `yaml:"url" jsonschema:"required" jsonschema_description:"Where: s3://, gs://, azblob:// or postgres://, or the path of a folder, relative to this file. ${NAME} and ${NAME:-default} are expanded from the environment."`
	OnDead string `yaml:"on_dead" jsonschema:"enum=finish,enum=report" jsonschema_description:"What the next run does about a run whose machine is gone: finish (default), or report, which ends with the command that finishes it."`
}

// ReportDead is the value of State.OnDead that leaves dead runs to people.
const ReportDead = "report"

// validateState expands the URL and checks it. An empty one after the expansion is no
// shared state.
func (d *decoder) validateState(s *State, env func(string) (string, bool)) {
	at := "state"
	if d.isSet("state.url") {
		at = "state.url"
	}
	if s.URL == "" {
		if d.isSet(at) {
			d.addError(at, "remove it, or name a place", "%s is empty", at)
		}
		return
	}
	if u, err := url.Parse(s.URL); err == nil && u.User != nil {
		if _, literal := u.User.Password(); literal && !strings.Contains(s.URL, "${") {
			d.addError(at, "write it as ${NAME}, or set PGPASSWORD", "%s: the file may not contain a password", at)
			return
		}
	}
	full, err := extension.Expand(s.URL, env)
	if err != nil {
		d.addError(at, "set the variable, or give it a default: ${NAME:-/mnt/slipway}", "%s: %v", at, err)
		return
	}
	s.URL = strings.TrimSpace(full)
	if s.URL == "" {
		return
	}
	if _, _, err := d.kinds.ParseStateURL(s.URL); err != nil {
		d.addError(at, fault.HintOf(err), "%s: %v", at, err)
	}
}

// StateURL returns the place of the shared state that a file names; empty: none.
// Nothing else of it is looked at, as it may be of another version of this program.
func StateURL(name string, data []byte, env func(string) (string, bool)) (string, error) {
	root, err := parseYAML(name, data)
	if err != nil {
		return "", err
	}
	var doc struct {
		State any `yaml:"state"`
	}
	if err := yaml.NodeToValue(root, &doc); err != nil {
		return "", fault.New(fault.Invalid, "read state of %s", name).Cause(err)
	}
	text, _ := doc.State.(string)
	if parts, ok := doc.State.(map[string]any); ok {
		text, _ = parts["url"].(string)
	}
	full, err := extension.Expand(text, env)
	if err != nil {
		return "", fault.New(fault.Invalid, "read state of %s", name).Cause(err)
	}
	return strings.TrimSpace(full), nil
}
