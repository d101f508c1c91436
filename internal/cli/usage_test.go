package cli_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An invalid command line exits with 2, and prints what is wrong and what to do.
func TestUsage_Refused(t *testing.T) {
	p := newProgram(t)
	for name, c := range map[string]struct {
		args string
		want []string // in stderr
	}{
		"unknown command":             {"rnu", []string{`unknown command "rnu" for "slipway"`, `did you mean "run"?`}},
		"unknown command with a flag": {"rnu --env prod", []string{`unknown command "rnu"`}},
		"nothing like a command":      {"xyzzy", []string{`unknown command "xyzzy"`, "slipway --help"}},
		"unknown subcommand":          {"releases shwo", []string{`unknown command "shwo" for "slipway releases"`, `did you mean "show"?`}},
		"unknown subcommand, nested":  {"scan db stauts", []string{`unknown command "stauts" for "slipway scan db"`}},
		"unknown subcommand of keys":  {"keys make", []string{`unknown command "make" for "slipway keys"`}},
		"unknown flag":                {"run --enviroment prod", []string{"unknown flag --enviroment", "slipway run --help"}},
		"misspelt flag":               {"run --retrian", []string{"unknown flag --retrian", "did you mean --retrain?"}},
		"unknown short flag":          {"run -x", []string{"unknown flag -x", "slipway run --help"}},
		"flag without a value":        {"run --env", []string{"--env needs a value", "slipway run --help"}},
		"flag with a bad value":       {"releases --limit many", []string{`invalid value "many" of --limit: use a whole number`, "slipway releases --help"}},
		"flag with a bad duration":    {"cleanup --older old", []string{`invalid value "old" of --older: use a duration such as 30s`}},
		"flag with a bad switch":      {"run --retrain=maybe", []string{`invalid value "maybe" of --retrain: use true or false`}},
		"help of an unknown command":  {"help rnu", []string{`unknown command "rnu" for "slipway"`, `did you mean "run"?`}},
		"unknown output format":       {"version -o yaml", []string{`invalid output format "yaml"`, "text or json"}},
		"missing argument":            {"cancel", []string{"missing argument RUN", "slipway cancel --help"}},
		"missing argument of approve": {"approve", []string{"missing argument RUN|GROUP:VERSION"}},
		"missing argument of show":    {"releases show", []string{"missing argument RELEASE"}},
		"missing argument of import":  {"scan db import", []string{"missing argument FILE"}},
		"one argument too many":       {"version now", []string{`unexpected argument "now"`}},
		"two arguments too many":      {"logs latest build again twice", []string{`unexpected argument "again"`}},
		"argument of run":             {"run prod", []string{`unexpected argument "prod"`, "--resume"}},
		"two runs to resume":          {"run --resume a b", []string{`unexpected argument "b"`}},
		"required flag":               {"rollback", []string{"--env is required", "slipway rollback --help"}},
		"one of two flags required":   {"verify", []string{"--env or --provenance is required"}},
		"exclusive flags":             {"run --retrain --deploy-only", []string{"--retrain and --deploy-only cannot be combined"}},
		"model and retraining":        {"run --model m:1 --retrain", []string{"--retrain and --model cannot be combined"}},
		"model of a promotion":        {"plan --model m:1 --deploy-only", []string{"--deploy-only and --model cannot be combined"}},
		"invalid model":               {"run --env dev --model latest", []string{`"latest" is not a model version`, "GROUP:NUMBER"}},
		"unknown model":               {"run --env dev --model prices:9", []string{"prices:9", "slipway models"}},
		"exclusive flags, rebuild":    {"run --rebuild --deploy-only", []string{"--rebuild and --deploy-only cannot be combined"}},
		"exclusive flags of plan":     {"plan --retrain --deploy-only", []string{"--retrain and --deploy-only cannot be combined"}},
		"exclusive flags of down":     {"down --env dev --all", []string{"--env and --all cannot be combined"}},
		"down without anything":       {"down", []string{"an environment is required", "--env ENV or --all"}},
		"logs without anything":       {"logs", []string{"a run or --env is required", "latest"}},
		"negative number to keep":     {"cleanup --keep -1", []string{"--keep -1", "zero or a positive value"}},
		"negative age":                {"cleanup --older -1h", []string{"--older -1h", "zero or a positive value"}},
		"unknown environment":         {"plan --env prd", []string{"prd", `did you mean "prod"`}},
		"unknown environment, status": {"status --env prd", []string{"prd"}},
		"unknown step":                {"plan --env dev --until biuld", []string{"biuld", `did you mean "build"`}},
		"invalid release":             {"releases show r-12", []string{`"r-12"`, "slipway releases"}},
		"unknown run":                 {"cancel 20261124-101502-k3f9", []string{"20261124-101502-k3f9"}},
		"nothing to resume":           {"run --resume", []string{"no unfinished run", "slipway run"}},
		"model without metrics":       {"models add prices model.bin", []string{"--metrics is required", "slipway models add --help"}},
		"missing argument of add":     {"models add prices --metrics m.json", []string{"missing argument PATH"}},
		"missing argument of models":  {"models show", []string{"missing argument GROUP:VERSION"}},
		"unknown model to show":       {"models show prices:9", []string{"prices:9", "slipway models"}},
		"invalid serving":             {"reject prices:1 --why x --serving maybe", []string{`invalid value "maybe" of --serving`, "keep or rollback"}},
		"serving of a run":            {"reject latest --why x --serving keep", []string{"--serving is about a model", "GROUP:VERSION"}},
		"serving without waiting":     {"reject prices:1 --why x --serving rollback --no-wait", []string{"cannot be combined"}},
		"order of a model":            {"approve prices:1 --even-though-older", []string{"--even-though-older is about a run", "slipway status"}},
		"rejection without a reason":  {"reject latest", []string{"a reason is required", "--why"}},
		"release without a reason":    {"releases unquarantine r-0123456789ab", []string{"a reason is required", "--why"}},
		"quarantine of nothing":       {"releases quarantine --why x", []string{"exactly one of RELEASE, --image and --model"}},
		"quarantine of two":           {"releases quarantine r-0123456789ab --model prices:1 --why x", []string{"exactly one of RELEASE, --image and --model"}},
		"quarantine without a reason": {"releases quarantine r-0123456789ab", []string{"a reason is required", "--why"}},
		"quarantine of no image":      {"releases quarantine --image latest --why x", []string{`invalid value "latest" of --image`, "sha256:"}},
		"quarantine of no model":      {"releases quarantine --model prices --why x", []string{`invalid value "prices" of --model`, "GROUP:N"}},
		"quarantine of unknown":       {"releases quarantine r-0123456789ab --why x", []string{"r-0123456789ab", "slipway releases"}},
		"file exists":                 {"init", []string{"slipway.yaml already exists", "--force"}},
		"pipeline that is not there":  {"init --force --from ci.yml", []string{"ci.yml not found", ".github/workflows/deploy.yml"}},
		"pipeline of another kind":    {"init --force --from slipway.yaml", []string{"no jobs found", ".gitlab-ci.yml"}},
		"eject without anything":      {"eject", []string{"--env is required", "slipway eject --help"}},
		"eject of nothing":            {"eject --env prod", []string{"nothing is deployed in prod", "slipway run --env prod"}},
		"argument of completion":      {"completion bash now", []string{`unexpected argument "now"`}},
		"unknown shell":               {"completion tcsh2000", []string{`unknown command "tcsh2000" for "slipway completion"`}},
	} {
		t.Run(name, func(t *testing.T) {
			got := p.run(strings.Fields(c.args)...)
			if got.code != 2 {
				t.Errorf("slipway %s: exit code %d, want 2", c.args, got.code)
			}
			for _, want := range c.want {
				if !strings.Contains(got.stderr, want) {
					t.Errorf("slipway %s: stderr does not contain %q:\n%s", c.args, want, got.stderr)
				}
			}
			if got.stdout != "" {
				t.Errorf("slipway %s: stdout is %q", c.args, got.stdout)
			}
		})
	}
}

// With --json, an error is a JSON document, too.
func TestUsage_RefusedJSON(t *testing.T) {
	type document struct{ Error, Kind, Hint string }
	p := newProgram(t)
	for name, c := range map[string]struct {
		args string
		want document
	}{
		"flag rule":       {"rollback --json", document{"--env is required", "invalid", "see `slipway rollback --help`"}},
		"unknown flag":    {"plan -o json --enviroment prod", document{"unknown flag --enviroment", "invalid", "see `slipway plan --help`"}},
		"invalid release": {"releases show x --json", document{`"x" is not a valid release`, "invalid", "a release is \"r-\" followed by 12 hexadecimal digits; `slipway releases` lists them, `latest` is the newest"}},
		"nothing found":   {"run --resume --json", document{"no unfinished run found", "not found", "start one with `slipway run`"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := p.run(strings.Fields(c.args)...)
			if diff := cmp.Diff(c.want, decode[document](t, got)); diff != "" || got.code != 2 {
				t.Errorf("exit code %d, document (-want +got):\n%s", got.code, diff)
			}
		})
	}
}

// Failures that the command line did not cause do not exit with 2.
func TestUsage_Unavailable(t *testing.T) {
	if got := newProgram(t).run("scan", "db", "update"); got.code != 1 || !strings.Contains(got.stderr, "no route to host") {
		t.Errorf("exit code %d, want 1: %s", got.code, got.stderr)
	}
}
