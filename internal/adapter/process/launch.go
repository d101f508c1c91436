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

// launch starts a job's runner, argv and the job's folder, in a session of its own, and
// returns once the runner has claimed the job. The runner masks the values of the
// variables named secrets.
func launch(argv []string, folder string, env, secrets []string) error {
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
	cmd := exec.Command(argv[0], append(slices.Clone(argv[1:]), folder)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles, cmd.SysProcAttr = folder, log, log, []*os.File{theirs}, detached()
	// The environment goes from process to process and never into a file.
	cmd.Env = append(slices.Clone(env), marker+"="+folder, secretNames+"="+strings.Join(secrets, ","))
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // so that no zombie stays while this process lives
	reply, err := io.ReadAll(io.LimitReader(ours, 4096))
	if err != nil {
		return err
	}
	if text := strings.TrimSpace(string(reply)); text != readyWord {
		return fmt.Errorf("its runner %s: %s", filepath.Base(argv[0]), text)
	}
	return nil
}

// secretNames is the variable that tells the runner whose values to mask.
const secretNames = "SLIPWAY_JOB_SECRETS" //nolint:gosec // a name, no secret

const (
	readyWord     = "ready"
	stoppedReason = "stopped"
)
