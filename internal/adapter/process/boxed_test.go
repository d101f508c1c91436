//go:build unix

package process_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/process"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// boxedCommands runs every command in a box in which it may write to its folder.
type boxedCommands struct {
	t *testing.T
	*process.Commands
}

func (b boxedCommands) Run(ctx context.Context, c port.Command, out io.Writer) (port.Exit, error) {
	c.Box = &port.Box{Write: []string{c.Dir}}
	exit, err := b.Commands.Run(ctx, c, out)
	b.replacePID(c.Dir)
	return exit, err
}

// replacePID lets the suite look for a process that can't exist, once none has the folder
// of the command: the number that the command knows is one of its box.
func (b boxedCommands) replacePID(dir string) {
	path := filepath.Join(dir, "pid")
	if _, err := os.Stat(path); err != nil {
		return
	}
	porttest.Await(b.t, "the processes of the box end", func() bool { return len(processesIn(dir)) == 0 })
	if err := os.WriteFile(path, []byte("4194305"), 0o600); err != nil {
		b.t.Error(err)
	}
}

// processesIn returns the links to a folder that is the working folder of processes.
func processesIn(dir string) (found []string) {
	all, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range all {
		if at, err := os.Readlink(link); err == nil && at == dir {
			found = append(found, link)
		}
	}
	return found
}

// needBox skips the test where the machine can't make a box.
func needBox(t *testing.T) *process.Commands {
	t.Helper()
	c := process.NewCommands(process.Config{Grace: 300 * time.Millisecond, Drain: 2 * time.Second})
	if err := c.CheckBox(t.Context()); err != nil {
		t.Skipf("no boxes on this machine: %v", err)
	}
	return c
}

func TestCommands_InBox(t *testing.T) {
	needBox(t)
	porttest.TestCommands(t, func(t *testing.T) port.Commands { return boxedCommands{t, needBox(t)} })
}

// boxed is what runBoxed does and reports.
type boxed struct {
	Run  string
	Dir  string
	Hide []string
	Box  *port.Box
}

// runBoxed runs one command as a process of its own: as a user that the test chooses.
func runBoxed(args []string) {
	var b boxed
	if err := json.Unmarshal([]byte(args[0]), &b); err != nil {
		panic(err)
	}
	exit, err := process.NewCommands(process.Config{Hide: b.Hide}).Run(context.Background(), port.Command{Run: b.Run, Dir: b.Dir, Env: os.Environ(), Box: b.Box}, os.Stdout)
	if err != nil {
		fmt.Printf("error %s: %v; hint: %s\n", fault.KindOf(err), err, fault.HintOf(err))
		os.Exit(1)
	}
	os.Exit(exit.Code)
}

// TestJob_InBox: a job has the same box as a command, and none of its folders.
func TestJob_InBox(t *testing.T) {
	needBox(t)
	dir := t.TempDir()
	j := jobs(filepath.Join(dir, "state"))
	j.Hide = []string{filepath.Join(dir, "state")}
	output := filepath.Join(dir, "output")
	handle, err := j.Submit(t.Context(), port.Job{
		Name: "j", Outputs: map[string]string{"model": port.FileURI(output)},
		Command: port.Command{
			Run: "ls -A " + j.Hide[0] + " 2>/dev/null; echo x > " + output + "/model", Dir: dir,
			Env: []string{"PATH=" + os.Getenv("PATH")}, Box: &port.Box{Write: []string{output}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var state port.JobState
	porttest.Await(t, "the job is done", func() bool {
		state, err = j.Poll(t.Context(), handle)
		return err != nil || state.Done
	})
	if err != nil || state.Exit.Code != 0 || state.Reason != "" {
		t.Errorf("state = %+v, error = %v, want it done with code 0", state, err)
	}
	log, err := j.Log(t.Context(), handle, 0)
	if err != nil {
		t.Fatal(err)
	}
	var printed bytes.Buffer
	if _, err := io.Copy(&printed, log); err != nil || printed.String() != "" {
		t.Errorf("the job sees %q in the state folder, error = %v, want nothing", printed.String(), err)
	}
	if raw, err := os.ReadFile(filepath.Join(output, "model")); err != nil || string(raw) != "x\n" {
		t.Errorf("output = %q, error = %v, want what the job wrote", raw, err)
	}
}
