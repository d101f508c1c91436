package git_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/git"
)

// TestMain lets the test binary play the process that is killed.
func TestMain(m *testing.M) {
	if job := os.Getenv("SLIPWAY_TEST_CHECKOUT"); job != "" {
		parts := strings.Split(job, "|")
		if err := git.New(parts[0]).Checkout(context.Background(), parts[1], parts[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestKilledCheckout kills a checkout, with its git, once it has written its
// first files, and expects the next one to finish the work.
func TestKilledCheckout(t *testing.T) {
	r := open(t, "")
	const files = 3000
	for i := range files {
		write(t, filepath.Join(r.Dir, "d", fmt.Sprint(i%50), fmt.Sprintf("f%d", i)), strings.Repeat(fmt.Sprintln(i), 50))
	}
	r.Commit(t)
	c, err := r.Source.Head(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	for range 3 {
		killMidway(t, r.Dir, c.Tree, out)
	}
	if err := r.Source.Checkout(t.Context(), c.Tree, out); err != nil {
		t.Fatal(err)
	}
	for i := range files {
		name := filepath.Join("d", fmt.Sprint(i%50), fmt.Sprintf("f%d", i))
		got, err := os.ReadFile(filepath.Join(out, name))
		if err != nil || string(got) != strings.Repeat(fmt.Sprintln(i), 50) {
			t.Fatalf("%s is not what was committed (%v)", name, err)
		}
	}
}

func killMidway(t *testing.T, repo, tree, out string) {
	t.Helper()
	if err := os.RemoveAll(out); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), "SLIPWAY_TEST_CHECKOUT="+strings.Join([]string{repo, tree, out}, "|"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	for {
		if entries, _ := os.ReadDir(filepath.Join(out, "d")); len(entries) > 2 {
			break
		}
		select {
		case <-ended:
			t.Fatal("the checkout ended before it could be killed")
		default:
		}
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-ended
	if entries, _ := os.ReadDir(filepath.Join(out, "d")); len(entries) == 50 {
		t.Log("the checkout was nearly done when it was killed")
	}
}
