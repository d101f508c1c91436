package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"

	"github.com/slipway-cd/slipway/internal/adapter/process/box"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/sandbox"
)

// boxed is a command that waits for its box. Nil is one without a box.
type boxed struct {
	request box.Request
	write   *os.File // the request
	status  *os.File // why the box could not be made
	theirs  []*os.File
}

// intoBox makes cmd, which is to run a shell, the process that makes the box and runs
// that shell in it. The environment of the command goes there by a pipe: the process
// must be readable to others of its user while it makes the box.
func (r *Commands) intoBox(b *port.Box, cmd *exec.Cmd) (*boxed, error) {
	if b == nil {
		return nil, nil
	}
	if runtime.GOOS != "linux" {
		return nil, fault.New(fault.Denied, "run the command in a box: %s has none", runtime.GOOS).Hint("run it on Linux, or without `box`")
	}
	if os.Getenv(box.MakerVariable) != "" {
		return nil, fault.New(fault.Internal, "run the command in a box: this process makes one itself")
	}
	plan := planBox(*b, box.ThisMachine(r.c.Hide))
	w := &boxed{request: box.Request{Plan: plan, Args: cmd.Args, Dir: cmd.Dir, Env: plan.Environ(cmd.Env)}}
	request, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	status, toStatus, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, request.Close(), write.Close())
	}
	w.write, w.status, w.theirs = write, status, []*os.File{request, toStatus}
	w.request.Args[0] = cmd.Path
	cmd.Path, cmd.Args, cmd.Env, cmd.Dir = "/proc/self/exe", []string{"slipway", box.Command}, []string{"GOMAXPROCS=2", box.MakerVariable + "=1"}, "/"
	cmd.ExtraFiles = append(cmd.ExtraFiles, w.theirs...)
	return w, nil
}

// planBox returns the plan of a box. One whose caches can't be created keeps none: they
// only save time.
func planBox(b port.Box, m box.Machine) box.Plan {
	plan := box.NewPlan(b, m)
	for _, cache := range plan.Caches {
		if os.MkdirAll(cache.From, 0o700) != nil {
			b.Cache = ""
			return box.NewPlan(b, m)
		}
	}
	return plan
}

// ready gives the box its command, and waits until the command is held back by nothing
// but its barrier.
func (b *boxed) ready() error {
	if b == nil {
		return nil
	}
	for _, f := range b.theirs {
		f.Close()
	}
	sent := json.NewEncoder(b.write).Encode(b.request) // it fails if the box does: that reason is the better one
	b.write.Close()
	raw, err := io.ReadAll(io.LimitReader(b.status, 64<<10))
	var report sandbox.Report
	switch {
	case err == nil && len(raw) == 0:
		return sent
	case err != nil || json.Unmarshal(raw, &report) != nil:
		return errors.Join(fmt.Errorf("read why the box was not made: %q", raw), err)
	}
	cause := &sandbox.InitError{Report: report}
	if denied := sandbox.ExplainForbidden("run the command in a box", cause); fault.Is(denied, fault.Denied) {
		return denied
	}
	return fault.New(fault.Denied, "run the command in a box").Cause(cause)
}

// close closes what ready has not closed.
func (b *boxed) close() {
	if b == nil {
		return
	}
	for _, f := range append(b.theirs, b.write, b.status) {
		_ = f.Close() // most are closed already
	}
}

// CheckBox reports why this machine can't run commands in a box; nil: it can.
func (r *Commands) CheckBox(ctx context.Context) error {
	_, err := r.Run(ctx, port.Command{Run: ":", Dir: "/", Env: []string{}, Box: &port.Box{}}, io.Discard)
	return err
}
