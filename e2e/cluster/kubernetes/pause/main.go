// Command pause keeps namespaces open and buries the orphans in them. Alone it is
// the first process of every pod. As `pause machine FROM TO...` it is the first
// process of the whole cluster's own namespaces: it mounts each FROM over its TO
// where only the cluster sees it, says "ready", and ends with its standard input.
// When it ends, by whatever cause, the kernel kills everything in there.
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
		if err := furnish(os.Args[2:]); err != nil {
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
		bury()
	}
}

// furnish gives the new mount namespace its own /proc and the mounts that were
// asked for. Nothing of it spreads to the machine; within the namespace it does,
// as the kubelet expects.
func furnish(pairs []string) error {
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

// bury waits for every child that has ended; several may stand behind one signal.
func bury() {
	for {
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 && err != syscall.EINTR {
			return
		}
	}
}
