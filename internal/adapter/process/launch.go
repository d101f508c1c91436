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

// launchRunner starts a job's runner, argv and the job's folder, in a session of its own, and
// returns once the runner has claimed the job. The runner masks the values of the
// variables named secrets.
func launchRunner(argv []string, folder string, env, secrets []string) error {
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
	cmd := exec.Command(argv[0], append(slices.Clone(argv[1:]), folder)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles, cmd.SysProcAttr = folder, log, log, []*os.File{childEnd}, runnerAttr()
	// The environment goes from process to process and never into a file.
	cmd.Env = append(slices.Clone(env), jobVariable+"="+folder, secretsVariable+"="+strings.Join(secrets, ","))
	err = cmd.Start()
	childEnd.Close()
	if err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // so that no zombie stays while this process lives
	reply, err := io.ReadAll(io.LimitReader(parentEnd, 4096))
	if err != nil {
		return err
	}
	if text := strings.TrimSpace(string(reply)); text != readyReply {
		return fmt.Errorf("the job's runner %s: %s", filepath.Base(argv[0]), text)
	}
	return nil
}

// secretsVariable names the variables whose values the runner masks.
const secretsVariable = "SLIPWAY_JOB_SECRETS" //nolint:gosec // a name, no secret

const (
	readyReply    = "ready"
	stoppedReason = "stopped"
)
