package jobs

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/adapter/aws/s3"
	"github.com/slipway-cd/slipway/internal/port"
)

// ownInput is the input with the script, and the files in it.
const (
	ownInput    = "slipway"
	scriptFile  = "run.sh"
	envFile     = "env"
	commandFile = "command"
)

// script is what the container starts: it unpacks the inputs, runs the command in its
// folder, passes SIGTERM on to all its processes, and reports its exit code.
func script(f form, job port.Job, archives map[string]s3.Object, dir string) string {
	var b strings.Builder
	b.WriteString("#!/bin/sh\n")
	for _, name := range slices.Sorted(maps.Keys(archives)) {
		fmt.Fprintf(&b, "mkdir -p %[1]s && tar -xzf %[2]s -C %[1]s || exit 126\n",
			quote(unpacked+"/"+name), quote(f.inputs+"/"+name+"/"+path.Base(archives[name].Key)))
	}
	for _, name := range slices.Sorted(maps.Keys(job.Outputs)) {
		fmt.Fprintf(&b, "mkdir -p %s || exit 126\n", quote(f.output(name)))
	}
	own := f.inputs + "/" + ownInput
	fmt.Fprintf(&b, "cd %s || exit 126\n. %s/%s\n", quote(dir), own, envFile)
	fmt.Fprintf(&b, "trap 'trap \"\" TERM; kill -TERM 0' TERM\nsh -c \"$(cat %s/%s)\" &\npid=$!\nwait $pid\ncode=$?\n", own, commandFile)
	b.WriteString("while kill -0 $pid 2>/dev/null; do wait $pid; code=$?; done\n")
	fmt.Fprintf(&b, "[ $code -eq 0 ] || { mkdir -p %s && echo \"slipway: exit code $code\" > %s; }\nexit $code\n", path.Dir(f.message), f.message)
	return b.String()
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// envScript sets the variables of a command. It is an object of the bucket and nothing
// else: the values may be secrets, and everybody who may describe a job sees the
// environment that SageMaker keeps.
func (j *Jobs) envScript(f form, env []string) string {
	var b strings.Builder
	name := regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	set := func(key, value string) {
		if name.MatchString(key) {
			fmt.Fprintf(&b, "export %s=%s\n", key, quote(value))
		}
	}
	if f.training { // as SageMaker's own containers set them for scripts
		set("SM_MODEL_DIR", f.output(modelOutput))
		set("SM_OUTPUT_DATA_DIR", "/opt/ml/output/data")
	}
	for _, ch := range slices.Sorted(maps.Keys(j.section.Channels)) {
		set("SM_CHANNEL_"+variable(ch), f.inputs+"/"+ch)
	}
	for _, p := range slices.Sorted(maps.Keys(j.section.HyperParameters)) {
		set("SM_HP_"+variable(p), j.section.HyperParameters[p])
	}
	for _, kv := range env {
		if key, value, ok := strings.Cut(kv, "="); ok {
			set(key, value)
		}
	}
	return b.String()
}

func variable(name string) string {
	return strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name))
}
