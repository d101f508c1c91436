//go:build e2e

package e2e

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// A POST that kills its replica gets 502 and kills no other one, and the users of
// the others lose nothing.
func TestTargets_L26_PoisonRequest(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	p.edit("slipway.yaml", "replicas: 2", "replicas: 3")
	p.setBehaviour("poison")
	p.run().wantRun(0, "deployed")
	url := p.status("prod").URL
	for range 9 { // the connections to all replicas are used ones
		predict(url, 1)
	}
	others := startLoad(url, 20) // its n stays below 13 until the end
	if status, body := predict(url, 13); status != http.StatusBadGateway {
		t.Errorf("the request that kills its replica: status %d, want 502: %s", status, body)
	}
	time.Sleep(400 * time.Millisecond) // traffic while the replica is replaced
	if asked, failures := others.stopAndCount(); len(failures) > 0 {
		t.Errorf("%d of %d other requests failed: %s", len(failures), asked, failures[0])
	}
	var restarts int
	for _, r := range p.status("prod").Replicas {
		restarts += r.Restarts
	}
	if restarts != 1 {
		t.Errorf("%d restarts after one request that kills its replica, want 1", restarts)
	}
}

// A release that breaks off every fifth request is seen by the watch, and rolled back.
func TestTargets_L26_BrokenOffRequests(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	good := p.run().wantRun(0, "deployed").report.Release
	p.setBehaviour("breaks off")
	r := p.withLoad(good, func() result { return p.run().wantRun(3, "rolled_back") }, true)
	if s := r.step("watch"); s.Outcome != "failed" || !strings.Contains(r.report.Cause, "error rate") {
		t.Errorf("watch = %+v, cause = %q, want an error rate", s, r.report.Cause)
	}
	p.wantRolledBack(good, r)
}

// 500 clients that send their headers a byte at a time are cut off after 10 s, and
// others lose nothing meanwhile.
func TestTargets_L23_SlowHeaders(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	p.run().wantRun(0, "deployed")
	url := p.status("prod").URL
	start := time.Now()
	var slow sync.WaitGroup
	for range 500 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		p.must(err)
		defer conn.Close()
		_, err = io.WriteString(conn, "GET /health HTTP/1.1\r\nHost: x\r\nA: ")
		p.must(err)
		slow.Go(func() {
			for time.Since(start) < 30*time.Second {
				if _, err := io.WriteString(conn, "a"); err != nil {
					return
				}
				time.Sleep(time.Second) // that slow
			}
			t.Error("a header is waited for for more than 30 s")
		})
	}
	others := startLoad(url, 20)
	slow.Wait()
	if asked, failures := others.stopAndCount(); asked == 0 || len(failures) > 0 {
		t.Errorf("%d of %d other requests failed: %v", len(failures), asked, failures)
	}
}

// HTTP/2 without TLS reaches the service through the address of users, on the ports
// of HTTP/1.1, and a switch loses nothing of it.
func TestTargets_L31_HTTP2(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	p.run().wantRun(0, "deployed")
	url := p.status("prod").URL
	transport := &http.Transport{Protocols: &http.Protocols{}}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	user := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	stop := make(chan struct{})
	var users sync.WaitGroup
	asked := 0
	users.Go(func() {
		for ; ; asked++ {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			resp, err := user.Post(url+"/predict", "application/json", strings.NewReader(`{"n": 21}`))
			if err != nil {
				t.Errorf("request %d: %v", asked, err)
				return
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.ProtoMajor != 2 || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "42") {
				t.Errorf("request %d: %s, status %d, %v: %s", asked, resp.Proto, resp.StatusCode, err, body)
			}
		}
	})
	p.edit("slipway.yaml", `ROUND: "0"`, `ROUND: "1"`)
	p.commit("another configuration")
	p.run().wantRun(0, "deployed")
	close(stop)
	users.Wait()
	if asked < 20 {
		t.Errorf("%d requests in all, want some through the switch", asked)
	}
}
