package process

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// launch starts the runner in a session of its own, and returns once that has
// taken the job.
func (j *Jobs) launch(folder string, env []string) error {
	log, err := os.OpenFile(filepath.Join(folder, logFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	ours, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ours.Close()
	cmd := exec.Command(j.executable, append(slices.Clone(j.args), folder)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles, cmd.SysProcAttr = folder, log, log, []*os.File{theirs}, detached()
	// The environment goes from process to process and never into a file.
	cmd.Env = append(slices.Clone(env), marker+"="+folder, secretNames+"="+j.secrets(env))
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // so that no zombie stays while we live
	said, err := io.ReadAll(io.LimitReader(ours, 4096))
	if err != nil {
		return err
	}
	if text := strings.TrimSpace(string(said)); text != readyWord {
		return fmt.Errorf("its runner %s: %s", filepath.Base(j.executable), text)
	}
	return nil
}

// secretNames is the variable that tells the runner whose values to mask.
const secretNames = "SLIPWAY_JOB_SECRETS" //nolint:gosec // a name, no secret

// secrets are the names of the variables that hold secrets.
func (j *Jobs) secrets(env []string) string {
	var names []string
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		if j.Secret != nil && j.Secret(value) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}
