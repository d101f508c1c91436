//go:build linux

package attack

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Test5: a user of a service begins uploads and never ends them. Each pinned a megabyte of
// the supervisor for ever, until the kernel killed it, and with it every replica of every
// environment.
func Test5(t *testing.T) {
	t.Parallel() // it waits for the deadline
	l := newService(t)
	l.edit("slipway.yaml", "environments: {", "environments: {staging: {on: {push: main}, target: {local: {}}}, ")
	l.commit("two environments")
	l.slipway("run", "--env", "staging").wantExit(0)
	attacked := l.deploy()
	var staging struct{ URL string }
	l.json(&staging, "status", "--env", "staging")
	pid := l.processes("supervise --dir")[0]
	before := peakMemory(t, pid)

	const uploads = 400
	var stalled sync.WaitGroup
	var open atomic.Int64
	for _, conn := range l.stallUploads(attacked, uploads) {
		stalled.Go(func() {
			_ = conn.SetReadDeadline(time.Now().Add(50 * time.Second))
			if _, err := io.Copy(io.Discard, conn); err != nil && os.IsTimeout(err) {
				open.Add(1)
			}
		})
	}
	grown := peakMemory(t, pid) - before
	t.Logf("%d stalled uploads of a megabyte take %.0f MiB of the supervisor", uploads, float64(grown)/(1<<20))
	if grown > 192<<20 {
		t.Errorf("%d stalled uploads take %d bytes", uploads, grown)
	}
	for _, url := range []string{attacked, staging.URL} {
		if _, err := l.get(url); err != nil {
			t.Errorf("another user of %s: %v", url, err)
		}
	}
	stalled.Wait()
	if open.Load() > 0 {
		t.Errorf("%d uploads are open 50 s after their last byte", open.Load())
	}
	if now := l.processes("supervise --dir"); len(now) != 1 || now[0] != pid {
		t.Errorf("supervisors = %v, want the one of before, %d", now, pid)
	}
}

// stallUploads begins so many uploads, each without its last byte.
func (l *lab) stallUploads(url string, uploads int) []net.Conn {
	l.t.Helper()
	part := bytes.Repeat([]byte("a"), 1<<20-1)
	var all []net.Conn
	for range uploads {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		l.must(err)
		l.t.Cleanup(func() { conn.Close() })
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		fmt.Fprintf(conn, "PUT /upload HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", 1<<20)
		_, _ = conn.Write(part) // where nobody reads it, the deadline ends it
		all = append(all, conn)
	}
	return all
}

// peakMemory returns the most memory that the process has had, in bytes.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\nVmHWM:")
	number, _, _ := strings.Cut(rest, "kB")
	kilobytes, err := strconv.Atoi(strings.TrimSpace(number))
	if err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}
