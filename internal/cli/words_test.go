package cli_test

import (
	"regexp"
	"strings"
	"testing"
)

// foreign are texts of the libraries that read the command line.
var foreign = regexp.MustCompile(`Available Commands|Global Flags|for more information about a command|help for |\[flags\]|\[command\]|` +
	`autocompletion|shell completion|unknown shorthand|flag needs an argument|invalid argument|bad flag syntax|strconv|parsing|Unknown help topic|[Uu]nknown help topic|` +
	`unknown flag: |Additional help topics|Run 'slipway|requires at least|accepts at most|accepts \d+ arg`)

// Whatever is wrong with a command line, and in every help, the words are ours.
func TestWords_AreOurs(t *testing.T) {
	p := newProgram(t)
	check := func(args ...string) output {
		t.Helper()
		got := p.run(args...)
		if found := foreign.FindString(got.stdout + got.stderr); found != "" {
			t.Errorf("slipway %s prints %q:\n%s%s", strings.Join(args, " "), found, got.stdout, got.stderr)
		}
		return got
	}
	refused := func(args ...string) {
		t.Helper()
		if got := check(args...); got.code != 2 || got.stdout != "" || !strings.HasPrefix(got.stderr, "slipway: ") || !strings.Contains(got.stderr, "\n  -> ") {
			t.Errorf("slipway %s: exit code %d, want 2, with a hint:\n%s%s", strings.Join(args, " "), got.code, got.stdout, got.stderr)
		}
	}
	flagLine := regexp.MustCompile(`(?m)^ +(?:-(\w), |    )--([a-z-]+)( int| duration| string)?`)
	all := append([]string{"", "help", "completion", "completion bash", "completion zsh", "completion fish", "completion powershell"}, commands...)
	for _, name := range all {
		words := strings.Fields(name)
		with := func(more ...string) []string { return append(append([]string{}, words...), more...) }
		help := check(with("--help")...)
		if help.code != 0 || help.stdout == "" || help.stderr != "" {
			t.Errorf("slipway %s --help: exit code %d:\n%s%s", name, help.code, help.stdout, help.stderr)
		}
		if again := check(append([]string{"help"}, words...)...); name != "" && again.stdout != help.stdout {
			t.Errorf("slipway help %s is not slipway %s --help:\n%s", name, name, again.stdout)
		}
		refused(with("--nonsense")...)
		refused(with("-%")...)
		refused(with("--=x")...)
		refused(with("--json=maybe")...)
		for _, m := range flagLine.FindAllStringSubmatch(help.stdout, -1) {
			if m[3] == "" {
				refused(with("--" + m[2] + "=maybe")...)
				continue
			}
			refused(with("--" + m[2])...)
			if m[3] != " string" {
				refused(with("--"+m[2], "many")...)
			}
			if m[1] != "" {
				refused(with("-" + m[1])...)
			}
		}
	}
	for _, group := range []string{"", "releases", "runs", "models", "scan", "scan db", "keys", "completion", "help"} {
		refused(append(strings.Fields(group), "nonsense")...)
	}
	refused("help", "releases", "nonsense")
	refused("--version")
}
