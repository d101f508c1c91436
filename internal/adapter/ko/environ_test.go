package ko_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/ko"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// TestBuild_ToolchainSeesNoSecret: a program that the repository has the toolchain run
// sees no variable that is not on the list, and no process that has one.
func TestBuild_ToolchainSeesNoSecret(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a Go program")
	}
	t.Setenv("COSIGN_PASSWORD", "hunter2")
	t.Setenv("GOOGLE_CREDENTIALS", "hunter2")
	t.Setenv("GIT_SSH_COMMAND", "ssh -4")
	o := porttest.GoProject(t, map[string]string{"cmd/api/main.go": porttest.Hello})
	seen := filepath.Join(t.TempDir(), "seen")
	program := filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nenv >>"+seen+"\nexec \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	o.Env = map[string]string{"GOFLAGS": "'-toolexec=" + program + "'"} // ko refuses it without the quotes
	if _, err := ko.New(ko.Config{}).Build(t.Context(), o, io.Discard); err != nil {
		t.Fatal(err)
	}
	env, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(env), "hunter2") {
		t.Errorf("the toolchain's program sees a secret:\n%s", env)
	}
	if !strings.Contains(string(env), "GIT_SSH_COMMAND=ssh -4\n") {
		t.Error("the toolchain's program does not see GIT_SSH_COMMAND, by which git fetches modules")
	}
}
