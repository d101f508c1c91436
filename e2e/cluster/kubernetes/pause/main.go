// Command pause keeps namespaces open and reaps the orphans in them. Without
// arguments it is the first process of every pod. As `pause machine FROM TO...` it is
// the first process of the cluster's namespaces: it mounts each FROM on its TO where
// only the cluster sees it, prints "ready", and exits when its standard input is
// closed. When it exits for whatever reason, the kernel kills everything inside.
package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGCHLD)
	if len(os.Args) > 1 && os.Args[1] == "machine" {
		if err := setUpMounts(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "pause:", err)
			os.Exit(1)
		}
		fmt.Println("ready")
		go endWith(os.Stdin)
	}
	for s := range signals {
		if s != syscall.SIGCHLD {
			return
		}
		reap()
	}
}

// setUpMounts mounts /proc and the given pairs in the new mount namespace. Nothing
// propagates to the machine; within the namespace mounts do propagate, as the kubelet
// expects.
func setUpMounts(pairs []string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	for ; len(pairs) > 1; pairs = pairs[2:] {
		if err := syscall.Mount(pairs[0], pairs[1], "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s on %s: %w", pairs[0], pairs[1], err)
		}
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, ""); err != nil {
		return fmt.Errorf("share the mounts within: %w", err)
	}
	return nil
}

func endWith(r io.Reader) {
	_, _ = io.Copy(io.Discard, r)
	os.Exit(0)
}

// reap waits for all children that have exited; several may share one signal.
func reap() {
	for {
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 && err != syscall.EINTR {
			return
		}
	}
}
