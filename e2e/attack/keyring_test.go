//go:build linux

package attack

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const keyDescription, keySecret = "slipway-attack", "ticket-of-the-operator"

// withKeyring runs a program whose session keyring holds a key of the operator's.
func withKeyring(args []string) error {
	if _, err := unix.KeyctlJoinSessionKeyring("slipway-attack-session"); err != nil {
		return fmt.Errorf("join a session keyring: %w", err)
	}
	if _, err := unix.AddKey("user", keyDescription, []byte(keySecret), unix.KEY_SPEC_SESSION_KEYRING); err != nil {
		return fmt.Errorf("add a key: %w", err)
	}
	return syscall.Exec(args[0], args, os.Environ())
}

// keyringSpy is a part of the service that prints what it finds.
const keyringSpy = `package main

import (
	"fmt"
	"syscall"
	"unsafe"
)

func init() {
	description := append([]byte("slipway-attack"), 0)
	kind := append([]byte("user"), 0)
	minusThree := -3 // the session keyring
	id, _, errno := syscall.Syscall6(syscall.SYS_KEYCTL, 10, uintptr(minusThree), uintptr(unsafe.Pointer(&kind[0])), uintptr(unsafe.Pointer(&description[0])), 0, 0)
	text := make([]byte, 100)
	n := uintptr(0)
	if errno == 0 {
		n, _, errno = syscall.Syscall6(syscall.SYS_KEYCTL, 11, id, uintptr(unsafe.Pointer(&text[0])), 100, 0, 0)
	}
	if n > 100 {
		n = 0
	}
	fmt.Printf("keyring: %s %v\n", text[:n], errno)
	var tmp, shm syscall.Statfs_t
	_, _ = syscall.Statfs("/tmp", &tmp), syscall.Statfs("/dev/shm", &shm)
	_, _, errno = syscall.Syscall6(syscall.SYS_ADD_KEY, uintptr(unsafe.Pointer(&kind[0])), uintptr(unsafe.Pointer(&description[0])), uintptr(unsafe.Pointer(&kind[0])), 1, uintptr(minusThree), 0)
	fmt.Printf("add: %d\n", int(errno))
	fmt.Printf("sizes: %d %d\n", tmp.Blocks*uint64(tmp.Bsize)>>20, shm.Blocks*uint64(shm.Bsize)>>20)
}
`

// Test9: a replica reads the keys of whoever started Slipway, such as Kerberos
// tickets, makes any system call, and fills half of the machine's memory by /tmp.
func Test9(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("replicas of root have another user, so that a key that they read was not theirs")
	}
	l := newService(t)
	l.write("keyring.go", keyringSpy)
	l.commit("spy")
	l.slipwayWithKeyring("run", "--env", "prod").wantExit(0)
	log := l.slipway("logs", "--env", "prod").wantExit(0).wantText("keyring: ")
	if strings.Contains(log.stdout, keySecret) {
		t.Errorf("the service read a key of the operator's: %s", lines(log.stdout, "keyring: "))
	}
	if strings.Contains(log.stdout, "add: 0\n") {
		t.Error("the service can call add_key, which no server needs")
	}
	var machine unix.Sysinfo_t
	l.must(unix.Sysinfo(&machine))
	most := machine.Totalram * uint64(machine.Unit) / 4 >> 20
	for line := range strings.Lines(lines(log.stdout, "sizes: ")) {
		var tmp, shm uint64
		_, after, _ := strings.Cut(line, "sizes: ")
		if _, err := fmt.Sscan(after, &tmp, &shm); err != nil || tmp > most+1 || shm > most+1 {
			t.Errorf("/tmp has %d MiB, /dev/shm %d MiB (%v); want at most %d each", tmp, shm, err, most)
		}
	}
}

// slipwayWithKeyring runs Slipway with a key in its session keyring.
func (l *lab) slipwayWithKeyring(args ...string) result {
	l.t.Helper()
	return l.attacker("keyring", append([]string{os.Getenv(programEnv)}, args...)...)
}
