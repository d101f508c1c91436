package awstest

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// Shell is a Container that runs what a job starts with this machine's programs and the
// variables of env: scripts find a folder of the job in place of /opt/ml, and another in
// place of scratch, where they unpack their inputs.
func Shell(scratch string, env []string) Container {
	return func(r *Running) int {
		here := strings.NewReplacer("/opt/ml", r.Root, scratch, filepath.Join(r.Root, "scratch"))
		file := here.Replace(r.Entrypoint[len(r.Entrypoint)-1])
		if err := rewrite(filepath.Dir(file), here); err != nil {
			r.Print(err.Error())
			return 1
		}
		return r.execute(exec.Command(r.Entrypoint[0], file), env)
	}
}

// rewrite changes the paths in the job's scripts.
func rewrite(dir string, here *strings.Replacer) error {
	scripts, err := os.ReadDir(dir)
	for _, s := range scripts {
		name := filepath.Join(dir, s.Name())
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(here.Replace(string(text))), 0o600); err != nil {
			return err
		}
	}
	return err
}

// execute runs a command to its end, prints what it prints into the job's log, and stops
// it as SageMaker does: SIGTERM goes to the first process alone.
func (r *Running) execute(cmd *exec.Cmd, env []string) (exit int) {
	cmd.Env, cmd.SysProcAttr = env, &syscall.SysProcAttr{Setpgid: true}
	from, to := io.Pipe()
	cmd.Stdout, cmd.Stderr = to, to
	if err := cmd.Start(); err != nil {
		r.Print(err.Error())
		return 1
	}
	var printing sync.WaitGroup
	printing.Go(func() {
		for lines := bufio.NewScanner(from); lines.Scan(); {
			r.Print(lines.Text())
		}
	})
	ended := make(chan struct{})
	go func() {
		select {
		case <-r.Stopping:
			_ = cmd.Process.Signal(syscall.SIGTERM)
		case <-ended:
		}
	}()
	_ = cmd.Wait()
	close(ended)
	_ = to.Close()
	printing.Wait()
	return cmd.ProcessState.ExitCode()
}
