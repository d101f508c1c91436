//go:build unix

// Package postgrestest starts PostgreSQL servers for tests.
package postgrestest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Start starts a server of its own for the test, on loopback, and returns the URL of
// an empty database there. Without PostgreSQL on the machine (Debian: postgresql) the
// test is skipped. As root the server runs as the user postgres, because it refuses to
// run as root.
func Start(t testing.TB) string {
	t.Helper()
	if why := Missing(); why != "" {
		t.Skip(why)
	}
	bin, _ := programs()
	dir, err := os.MkdirTemp("", "slipway-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	as := credential(t, dir)
	run(t, as, filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"), "-U", "slipway", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
	port := freePort(t)
	server := exec.Command(filepath.Join(bin, "postgres"), "-D", filepath.Join(dir, "data"), "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "fsync=off")
	server.SysProcAttr = &syscall.SysProcAttr{Credential: as, Setpgid: true}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGINT) // fast shutdown
		_ = server.Wait()
	})
	for end := time.Now().Add(30 * time.Second); !ready(bin, port); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("PostgreSQL does not accept connections on port %d after 30s", port)
		}
	}
	return fmt.Sprintf("postgres://slipway@127.0.0.1:%d/postgres?sslmode=disable", port)
}

// Missing returns why no server can be started on this machine; empty: it can.
func Missing() string {
	if _, ok := programs(); !ok {
		return "PostgreSQL is not installed"
	}
	if _, err := user.Lookup("postgres"); err != nil && os.Geteuid() == 0 {
		return "PostgreSQL does not run as root, and the user postgres is missing"
	}
	return ""
}

// programs returns the folder of the newest server's programs.
func programs() (string, bool) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // sorted; the pattern is well-formed
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), true
	}
	path, err := exec.LookPath("initdb")
	return filepath.Dir(path), err == nil
}

// credential is the user that the server runs as, who gets the folder; nil: this one.
func credential(t testing.TB, dir string) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func run(t testing.TB, as *syscall.Credential, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	cmd.Dir = "/"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// ready reports whether the server accepts connections: it listens a moment before.
func ready(bin string, port int) bool {
	return exec.Command(filepath.Join(bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(port)).Run() == nil
}
