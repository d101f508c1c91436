package buildkit

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
)

const pin = "docker.io/library/python:3.11-slim@sha256:5b1de0fd605470195fdeec93dca2fb39df1641b95b251e9aa034a682e4b9531c"

func TestProgress_LogsBuild(t *testing.T) {
	at := func(ms int) *time.Time {
		x := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(ms) * time.Millisecond)
		return &x
	}
	from, run := digest.FromString("from"), digest.FromString("run")
	var log bytes.Buffer
	var reported []string
	s := newProgress(&log, newRedactor(map[string][]byte{"a": []byte("hunter2\nsecond line\nabc")}), func(text string) { reported = append(reported, text) })
	updates := make(chan *client.SolveStatus)
	done := make(chan struct{})
	go func() { defer close(done); s.consume(updates) }()
	for _, u := range []*client.SolveStatus{
		{Vertexes: []*client.Vertex{{Digest: from, Name: "[runtime 1/2] FROM " + pin, Started: at(0)}, {Digest: run, Name: "[runtime 2/2] RUN  pip \n install"}}},
		{Statuses: []*client.VertexStatus{{ID: "sha256:aa", Vertex: from, Current: 1e6, Total: 4e6}}},
		{Statuses: []*client.VertexStatus{{ID: "sha256:aa", Vertex: from, Current: 4e6, Total: 4e6, Completed: at(900)}}},
		{Statuses: []*client.VertexStatus{{ID: "sha256:aa", Vertex: from, Current: 4e6, Total: 4e6, Completed: at(900)}}},
		{Vertexes: []*client.Vertex{{Digest: from, Name: "[runtime 1/2] FROM " + pin, Started: at(0), Completed: at(1000)}}},
		{Vertexes: []*client.Vertex{{Digest: run, Name: "[runtime 2/2] RUN  pip \n install", Started: at(1000)}}},
		{Logs: []*client.VertexLog{{Vertex: run, Stream: 1, Data: []byte("one\nit is hun"), Timestamp: *at(1250)}, {Vertex: run, Stream: 2, Data: []byte("warned\n"), Timestamp: *at(1260)}}},
		{Logs: []*client.VertexLog{{Vertex: run, Stream: 1, Data: []byte("ter2!\n10%\r20%\r30%\r\nsecond line, abc"), Timestamp: *at(1500)}}},
		{Warnings: []*client.VertexWarning{{Vertex: run, Short: []byte("a rule is broken")}}},
		{Vertexes: []*client.Vertex{{Digest: run, Name: "[runtime 2/2] RUN  pip \n install", Started: at(1000), Completed: at(2000), Error: "exit\ncode: 1"}}},
	} {
		updates <- u
	}
	close(updates)
	<-done
	const want = `#1 [runtime 1/2] FROM ` + pin + `
#1 sha256:aa 4.0 MB / 4.0 MB done
#1 DONE 1.0s
#2 [runtime 2/2] RUN pip install
#2 0.250 one
#2 0.260 warned
#2 0.500 it is ***!
#2 0.500 30%
#2 WARN: a rule is broken
#2 1.000 ***, abc
#2 ERROR: exit code: 1
`
	if diff := cmp.Diff(want, log.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if want := "[runtime 1/2] FROM docker.io/library/python:3.11-slim@sha256:5b1de0fd605470195fdeec93dca2f..."; reported[0] != want {
		t.Errorf("first progress = %q, want %q", reported[0], want)
	}
	if got, want := reported[len(reported)-1], "[runtime 2/2] RUN pip install"; got != want {
		t.Errorf("last progress = %q, want %q", got, want)
	}
	if diff := cmp.Diff([]string{pin}, s.bases()); diff != "" {
		t.Errorf("base images (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("one|warned|it is ***!|30%|***, abc", strings.Join(s.failedOutput(), "|")); diff != "" {
		t.Errorf("output of the failed command (-want +got):\n%s", diff)
	}
	s.stop()
	s.update(&client.SolveStatus{Warnings: []*client.VertexWarning{{Vertex: run, Short: []byte("late")}}})
	if strings.Contains(log.String(), "late") {
		t.Errorf("the log contains an update after stop:\n%s", log.String())
	}
}

// TestProgress_LimitsLines: an endless line does not fill the memory.
func TestProgress_LimitsLines(t *testing.T) {
	var log bytes.Buffer
	s := newProgress(&log, newRedactor(nil), func(string) {})
	chunk := bytes.Repeat([]byte("x"), maxPartialBytes/2)
	for range 9 {
		s.update(&client.SolveStatus{Logs: []*client.VertexLog{{Vertex: "v", Data: chunk}}})
	}
	for _, p := range s.vertices {
		if len(p.partial[0]) > maxPartialBytes {
			t.Errorf("buffered %d bytes, want %d at most", len(p.partial[0]), maxPartialBytes)
		}
	}
	if limit := 5 * (maxLineBytes + 50); log.Len() == 0 || log.Len() > limit {
		t.Errorf("the log has %d bytes, want 1 to %d", log.Len(), limit)
	}
}
