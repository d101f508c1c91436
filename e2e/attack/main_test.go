//go:build linux

package attack

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// programEnv names the program under test, as in all end-to-end tests.
const programEnv = "SLIPWAY_BIN"

// attackerEnv makes the test's own program one of the attackers.
const attackerEnv = "SLIPWAY_ATTACKER"

// attackers are programs that a lab runs as a process of its own, often as
// another user: lab.attacker(name, args...).
func attackers() map[string]func(args []string) error {
	return map[string]func([]string) error{
		"hold":    holdLock,
		"keyring": withKeyring,
		"peek":    peek,
		"squat":   squat,
	}
}

func TestMain(m *testing.M) {
	if name := os.Getenv(attackerEnv); name != "" {
		if err := attackers()[name](os.Args[1:]); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(runTests(m))
}

// runTests runs the tests with both programs where every user can execute them.
func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "slipway-attack-bin-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = errors.Join(os.Chmod(dir, 0o755), placePrograms(dir))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	return m.Run()
}

// placePrograms puts Slipway and the test's own program into dir, and dir into
// the environment: programs() reads it.
func placePrograms(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := place(self, filepath.Join(dir, "attacker")); err != nil {
		return err
	}
	target := filepath.Join(dir, "slipway")
	if given := os.Getenv(programEnv); given != "" {
		err = place(given, target)
	} else {
		build := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", target, "../../cmd/slipway")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		build.Stderr = os.Stderr
		err = build.Run()
	}
	if err != nil {
		return fmt.Errorf("the program under test (%s=%q): %w", programEnv, os.Getenv(programEnv), err)
	}
	return os.Setenv(programEnv, target)
}

// place makes a program available under another path, executable for everyone.
func place(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close(), os.Chmod(to, 0o755))
}
