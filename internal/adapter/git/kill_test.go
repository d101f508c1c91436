//go:build unix

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
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/git"
	"github.com/slipway-cd/slipway/internal/flock"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// TestMain makes the test binary the process that is killed.
func TestMain(m *testing.M) {
	if job := os.Getenv("SLIPWAY_TEST_CHECKOUT"); job != "" {
		parts := strings.Split(job, "|")
		source := git.Source{Dir: parts[0], Program: parts[3]}
		if err := source.Checkout(context.Background(), parts[1], parts[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestCheckout_AfterKill kills a checkout together with its git while it writes
// files. The next one completes the work.
func TestCheckout_AfterKill(t *testing.T) {
	r := newRepository(t, "")
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
		killDuringCheckout(t, r.Dir, c.Tree, out)
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

// awaitLock waits until neither a checkout to dir nor its git is running.
func awaitLock(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir+".git", "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := flock.LockFile(t.Context(), f, nil); err != nil {
		t.Fatal(err)
	}
}

// TestCheckout_WaitsForGitOfKilledProcess kills a checkout but not its git, which
// writes another tree a while later.
func TestCheckout_WaitsForGitOfKilledProcess(t *testing.T) {
	r := newRepository(t, "")
	write(t, filepath.Join(r.Dir, "f"), "old")
	write(t, filepath.Join(r.Dir, "only-old"), "old")
	r.Commit(t)
	old, err := r.Source.Head(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(r.Dir, "f"), "new")
	if err := os.Remove(filepath.Join(r.Dir, "only-old")); err != nil {
		t.Fatal(err)
	}
	r.Commit(t)
	latest, err := r.Source.Head(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	out, begun := filepath.Join(dir, "out"), filepath.Join(dir, "begun")
	slow := filepath.Join(dir, "git")
	write(t, slow, "#!/bin/sh\ncase \" $* \" in *' read-tree '*) touch '"+begun+"'; sleep 1;; esac\nexec git \"$@\"\n")
	if err := os.Chmod(slow, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := checkoutChild(t, r.Dir, old.Tree, out, slow)
	porttest.Await(t, "its git begins", func() bool { _, err := os.Stat(begun); return err == nil })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if err := r.Source.Checkout(t.Context(), latest.Tree, out); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1500 * time.Millisecond) // what the old git would still write has come by then
	if got, err := os.ReadFile(filepath.Join(out, "f")); err != nil || string(got) != "new" {
		t.Errorf("f is %q, want %q (%v)", got, "new", err)
	}
	if _, err := os.Stat(filepath.Join(out, "only-old")); err == nil {
		t.Error("the killed process's git wrote a file of its tree")
	}
}

// checkoutChild starts a checkout in a separate process.
func checkoutChild(t *testing.T, repo, tree, out, program string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), "SLIPWAY_TEST_CHECKOUT="+strings.Join([]string{repo, tree, out, program}, "|"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func killDuringCheckout(t *testing.T, repo, tree, out string) {
	t.Helper()
	if err := os.RemoveAll(out); err != nil {
		t.Fatal(err)
	}
	cmd := checkoutChild(t, repo, tree, out, "git")
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
	awaitLock(t, out) // its git may still be running
	if entries, _ := os.ReadDir(filepath.Join(out, "d")); len(entries) == 50 {
		t.Log("the checkout was nearly done when it was killed")
	}
}
