//go:build linux

package attack

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Test6: another user of the machine listens on a replica's port in its place, and gets
// the users' requests with their tokens.
func Test6(t *testing.T) {
	t.Run("before the replica listens", func(t *testing.T) {
		l := newService(t)
		attacker := l.as(attackerUID)
		l.edit("slipway.yaml", "env: {", "env: {START_AFTER: 2s, ")
		l.commit("load a model first")
		taken := make(chan int, 1)
		go func() { // as soon as there is a supervisor, which tells the port by its name
			for range 6000 {
				if pids := l.processes("supervise --dir"); len(pids) > 0 {
					n := 20000 + (pids[0]+1)%12000
					attacker.squat(n)
					taken <- n
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			taken <- 0
		}()
		url := l.deploy()
		if n := <-taken; n == 0 {
			t.Fatal("no supervisor was started")
		}
		l.wantService(url, 6)
	})
	t.Run("while the replica does not listen", func(t *testing.T) {
		l := newService(t)
		attacker := l.as(attackerUID)
		url := l.deploy()
		attacker.squat(l.replicaPort())
		l.wantService(url, 1)
		resp, err := http.Post(url, "", http.NoBody)
		l.must(err)
		resp.Body.Close()
		for range 25 {
			l.wantService(url, 1)
			time.Sleep(100 * time.Millisecond)
		}
		back := l.eventually(10*time.Second, func() bool {
			text, err := l.get(url)
			return err == nil && strings.Contains(text, "the service")
		})
		if !back {
			t.Error("the service did not come back on another port")
		}
	})
}

// wantService requests the service: it may be away, but nobody else may answer.
func (l *lab) wantService(url string, requests int) {
	l.t.Helper()
	for range requests {
		if text, err := l.get(url); err == nil && strings.Contains(text, "answered by the attacker") {
			l.t.Fatalf("a user's request with a token was %s", text)
		}
	}
}

// replicaPort returns the port of the only replica.
func (l *lab) replicaPort() int {
	l.t.Helper()
	for _, pid := range l.processes("SLIPWAY_RELEASE=") {
		for _, kv := range strings.Split(l.read(filepath.Join("/proc", strconv.Itoa(pid), "environ")), "\x00") {
			if text, ok := strings.CutPrefix(kv, "PORT="); ok {
				n, err := strconv.Atoi(text)
				l.must(err)
				return n
			}
		}
	}
	l.t.Fatal("no replica found")
	return 0
}

// squat starts an attacker that listens on the port as soon as it can.
func (l *lab) squat(port int) {
	l.with(attackerEnv+"=squat").start(filepath.Join(filepath.Dir(os.Getenv(programEnv)), "attacker"), strconv.Itoa(port))
}

func squat(args []string) error {
	for {
		listener, err := net.Listen("tcp", "127.0.0.1:"+args[0])
		if err != nil {
			time.Sleep(time.Millisecond)
			continue
		}
		return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			fmt.Fprintf(w, "answered by the attacker, who got %q\n", r.Header.Get("Authorization"))
		}))
	}
}
