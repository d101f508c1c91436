package cli_test

import (
	"slices"
	"strings"
	"testing"
)

// commands lists every command by its path.
var commands = []string{
	"init", "doctor", "plan", "run", "runs", "runs show", "cancel", "status", "releases", "releases show", "releases diff", "releases quarantine", "releases unquarantine", "models", "models show", "models add", "approve", "reject",
	"rollback", "verify", "logs", "up", "down", "ps", "import", "eject", "export", "export terraform", "export cloudformation", "aws", "aws policy", "aws plan", "aws apply", "aws destroy", "aws export", "aws export terraform", "aws export cloudformation", "scan", "scan db", "scan db status", "scan db update", "scan db import", "cleanup",
	"registry", "keys", "keys generate", "policy", "policy show", "state", "state show", "state push", "state pull", "state verify", "state prune", "state unlock", "state adopt", "history", "history show", "history accept", "version", "help",
}

// The help of every command has a description and examples, and exits with 0.
func TestHelp_Examples(t *testing.T) {
	p := newProgram(t)
	for _, name := range append([]string{""}, commands...) {
		t.Run("slipway "+name, func(t *testing.T) {
			got := p.run(append(strings.Fields(name), "--help")...)
			if got.code != 0 || got.stderr != "" {
				t.Errorf("exit code %d, stderr %q", got.code, got.stderr)
			}
			for _, want := range []string{"Usage:\n  slipway", "Examples:\n  ", "slipway " + name} {
				if !strings.Contains(got.stdout, want) {
					t.Errorf("the help does not contain %q:\n%s", want, got.stdout)
				}
			}
		})
	}
}

// The list above is complete.
func TestHelp_ListsEveryCommand(t *testing.T) {
	p := newProgram(t)
	for _, group := range []string{"", "runs", "releases", "models", "scan", "scan db", "keys", "policy", "state", "history", "export", "aws", "aws export"} {
		_, list, _ := strings.Cut(p.run(append(strings.Fields(group), "--help")...).stdout, "\nCommands:\n")
		list, _, _ = strings.Cut(list, "\n\n")
		for line := range strings.Lines(list) {
			name := strings.TrimSpace(group + " " + strings.Fields(line)[0])
			if name != "help" && !slices.Contains(commands, name) {
				t.Errorf("%q is not in the list of commands of this test", name)
			}
		}
	}
}

// A group without a subcommand prints its help.
func TestHelp_GroupWithoutSubcommand(t *testing.T) {
	p := newProgram(t)
	for _, group := range []string{"", "scan", "scan db", "keys", "policy", "state"} {
		if got := p.run(strings.Fields(group)...); got.code != 0 || !strings.Contains(got.stdout, "\nCommands:\n") {
			t.Errorf("slipway %s: exit code %d\n%s%s", group, got.code, got.stdout, got.stderr)
		}
	}
}
