package ko

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/slipway-cd/slipway/internal/environ"
	"github.com/slipway-cd/slipway/internal/port"
)

// buildRequest is the request to the process that builds.
type buildRequest struct {
	Module  string            `json:"module"`
	Package string            `json:"package"`
	Arch    string            `json:"arch"`
	Service string            `json:"service"`
	Env     map[string]string `json:"env,omitempty"`
	Layout  string            `json:"layout"`
}

// buildReply is what it reports.
type buildReply struct {
	Built port.BuiltImage `json:"built"`
	Error string          `json:"error,omitempty"`
}

// buildAlone builds once no other build does, in a process of its own: the library
// gives the toolchain the environment of its process, and the toolchain runs what the
// repository names (-toolexec). That process has neither the variables nor the memory
// of this one. When ctx ends, so does it, with all that it has started.
func (b *Builder) buildAlone(ctx context.Context, r buildRequest, out io.Writer) (port.BuiltImage, error) {
	select {
	case b.building <- struct{}{}:
	case <-ctx.Done():
		return port.BuiltImage{}, context.Cause(ctx)
	}
	defer func() { <-b.building }()
	request, err := json.Marshal(r)
	if err != nil {
		return port.BuiltImage{}, err
	}
	cmd := exec.CommandContext(ctx, b.command[0], b.command[1:]...)
	cmd.Env, cmd.SysProcAttr = toolEnviron(), groupAttr()
	cmd.Cancel, cmd.WaitDelay = func() error { return killGroup(cmd.Process) }, waitDelay
	var reply bytes.Buffer
	cmd.Stdout = &reply
	cmd.Stderr = struct{ io.Writer }{out} // a program that the toolchain leaves behind would hold a file open
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return port.BuiltImage{}, err
	}
	if err := cmd.Start(); err != nil {
		return port.BuiltImage{}, fmt.Errorf("start the build process: %w", err)
	}
	_, writeErr := stdin.Write(append(request, '\n')) // it stays open: its end is the end of this process
	err = cmd.Wait()
	if ctx.Err() != nil {
		return port.BuiltImage{}, context.Cause(ctx)
	}
	var answer buildReply
	if decodeErr := json.Unmarshal(reply.Bytes(), &answer); decodeErr != nil {
		return port.BuiltImage{}, fmt.Errorf("read the result of the build process: %w", errors.Join(err, writeErr, decodeErr))
	}
	if answer.Error != "" {
		return port.BuiltImage{}, errors.New(answer.Error)
	}
	return answer.Built, nil
}

// RunBuild is the whole program of the process that builds. It reads the request from
// in, writes its reply to reply, and what the toolchain prints to log.
func RunBuild(ctx context.Context, in io.Reader, reply, log io.Writer) (exitCode int) {
	var r buildRequest
	if err := json.NewDecoder(in).Decode(&r); err != nil {
		fmt.Fprintln(log, "this command is internal to Slipway: it builds a Go program")
		return 2
	}
	go endWith(in)
	var answer buildReply
	if built, err := buildImage(ctx, r, log); err != nil {
		answer.Error = err.Error()
	} else {
		answer.Built = built
	}
	if err := json.NewEncoder(reply).Encode(answer); err != nil {
		return 1
	}
	return 0
}

// endWith ends this process and the toolchain when the process that asked for the
// build is gone, and with it the other end of in.
func endWith(in io.Reader) {
	_, _ = io.Copy(io.Discard, in)
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = killGroup(self)
	}
}

func buildImage(ctx context.Context, r buildRequest, log io.Writer) (port.BuiltImage, error) {
	img, err := compile(ctx, r, log)
	if err != nil {
		return port.BuiltImage{}, err
	}
	return writeAtomically(img, r.Layout)
}

// toolEnviron is the environment of the toolchain: what every program inherits, and
// what git needs to fetch private modules. No value of it is a secret.
func toolEnviron() []string {
	return environ.Inherited(os.Environ(), "SSH_AUTH_SOCK", "GIT_SSH_COMMAND", "GIT_SSH", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_CONFIG_GLOBAL")
}
