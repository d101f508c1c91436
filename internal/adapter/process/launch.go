package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/environ"
)

// maxJobEnvironment is the size of a job's environment as JSON, in bytes: more than the
// system gives any process. maxRunnerReply is that of what its runner reports.
const (
	maxJobEnvironment = 16 << 20
	maxRunnerReply    = 4 << 10
)

// launchRunner starts a job's runner, argv and the job's folder, in a session of its own, and
// returns once the runner has claimed the job. The runner masks the values of the
// variables named secrets.
func launchRunner(argv []string, folder string, env, secrets []string) error {
	environment, err := json.Marshal(jobEnvironment{Env: env, Secrets: secrets})
	if err != nil {
		return fmt.Errorf("encode the job's environment: %w", err)
	}
	if len(environment) > maxJobEnvironment {
		return fmt.Errorf("the job's environment has %d bytes, more than %d", len(environment), maxJobEnvironment)
	}
	log, err := os.OpenFile(filepath.Join(folder, logFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	parentEnd, childEnd, err := os.Pipe()
	if err != nil {
		return err
	}
	defer parentEnd.Close()
	orders, toRunner, err := os.Pipe()
	if err != nil {
		return errors.Join(err, childEnd.Close())
	}
	defer toRunner.Close()
	cmd := exec.Command(argv[0], append(slices.Clone(argv[1:]), folder)...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles, cmd.SysProcAttr = folder, orders, log, log, []*os.File{childEnd}, runnerAttr()
	cmd.Env = append(environ.Inherited(os.Environ()), jobVariable+"="+folder)
	err = cmd.Start()
	childEnd.Close()
	orders.Close()
	if err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // so that no zombie stays while this process lives
	if _, err := toRunner.Write(environment); err != nil {
		return fmt.Errorf("give the job's runner its environment: %w", err)
	}
	reply, err := io.ReadAll(io.LimitReader(parentEnd, maxRunnerReply))
	if err != nil {
		return err
	}
	if text := strings.TrimSpace(string(reply)); text != readyReply {
		return fmt.Errorf("the job's runner %s: %s", filepath.Base(argv[0]), text)
	}
	return nil
}

// jobEnvironment goes from process to process by a pipe, and never into a file or
// into the environment of the runner, where others of the same user could read it.
type jobEnvironment struct {
	Env     []string `json:"env"`     // of the command, "NAME=value"
	Secrets []string `json:"secrets"` // names in Env whose values the runner masks
}

// values returns the values to mask.
func (e jobEnvironment) values() []string {
	var values []string
	for _, kv := range e.Env {
		if name, value, _ := strings.Cut(kv, "="); slices.Contains(e.Secrets, name) {
			values = append(values, value)
		}
	}
	return values
}

const (
	readyReply    = "ready"
	stoppedReason = "stopped"
)
