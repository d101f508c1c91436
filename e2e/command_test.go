//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// commandTimeout is the longest that a command may take: the Python example's fetch
// packages, while other tests compute.
const commandTimeout = 6 * time.Minute

// runEvent is an event as scripts read it.
type runEvent struct {
	Time    time.Time `json:"time"`
	Kind    string    `json:"kind"`
	Run     string    `json:"run"`
	Step    string    `json:"step"`
	Outcome string    `json:"outcome"`
	Release string    `json:"release"`
	Cached  bool      `json:"cached"`
	Text    string    `json:"text"`
}

// report is the document that ends `slipway run --json`.
type report struct {
	Run         string       `json:"run"`
	Release     string       `json:"release"`
	Environment string       `json:"environment"`
	Outcome     string       `json:"outcome"`
	Cause       string       `json:"cause"`
	Hint        string       `json:"hint"`
	URL         string       `json:"url"`
	Steps       []stepReport `json:"steps"`

	NotRetrained string `json:"not_retrained"`
}

type stepReport struct {
	Name    string  `json:"name"`
	Outcome string  `json:"outcome"`
	Cached  bool    `json:"cached"`
	Seconds float64 `json:"seconds"`
	Summary string  `json:"summary"`
	Cause   string  `json:"cause"`
}

// result is a finished command.
type result struct {
	p      *project
	args   []string
	code   int // 128+n when killed by signal n
	stdout string
	stderr string
	events []runEvent
	report report // of the last run that it reported
}

// started is a running command.
type started struct {
	p      *project
	args   []string
	cmd    *exec.Cmd
	stdout bytes.Buffer
	stderr lockedBuffer
	done   chan struct{}
	leave  func() // the machine that it runs on; nil: it is the project's

	mu      sync.Mutex
	changed *sync.Cond
	events  []runEvent
	report  report
	ended   bool
}

// slipway runs a command to its end.
func (p *project) slipway(args ...string) result {
	p.t.Helper()
	return p.start(args...).wait()
}

// run delivers what is checked out to prod.
func (p *project) run(args ...string) result {
	p.t.Helper()
	return p.slipway(append([]string{"run", "--env", "prod", "--json"}, args...)...)
}

// start starts a command; its JSON lines are read while it runs.
func (p *project) start(args ...string) *started {
	p.t.Helper()
	s := &started{p: p, args: args, done: make(chan struct{})}
	s.changed = sync.NewCond(&s.mu)
	line := slices.Concat(p.wrapper, []string{cmp.Or(p.program, slipwayBinary())}, args)
	s.cmd = exec.Command(line[0], line[1:]...)
	s.cmd.Dir, s.cmd.Env = p.dir, p.env
	if p.machines != nil {
		s.cmd.Dir, s.cmd.Env, s.leave = p.machines.next()
	}
	s.cmd.Stderr = &s.stderr
	// A group of its own: a signal to the tests does not reach it by chance.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: p.credential}
	// A pipe of our own: whoever inherits it (the supervisor must not) cannot
	// keep the command from ending.
	r, w, err := os.Pipe()
	p.must(err)
	s.cmd.Stdout = w
	p.must(s.cmd.Start())
	w.Close()
	read := make(chan struct{})
	go s.follow(r, read)
	go s.finish(r, read)
	return s
}

func (s *started) follow(r io.Reader, read chan struct{}) {
	defer close(read)
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		s.mu.Lock()
		s.stdout.Write(line)
		s.parse(line)
		s.changed.Broadcast()
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *started) parse(line []byte) {
	var e runEvent
	if json.Unmarshal(line, &e) == nil && e.Kind != "" && !e.Time.IsZero() {
		s.events = append(s.events, e)
		return
	}
	var r report
	if json.Unmarshal(line, &r) == nil && r.Run != "" && r.Outcome != "" {
		s.report = r
	}
	var decided struct{ Run report } // of approve and reject
	if json.Unmarshal(line, &decided) == nil && decided.Run.Outcome != "" {
		s.report = decided.Run
	}
}

func (s *started) finish(r io.Closer, read chan struct{}) {
	overdue := time.AfterFunc(commandTimeout, func() { _ = s.cmd.Process.Signal(syscall.SIGQUIT) })
	_ = s.cmd.Wait()
	overdue.Stop()
	select {
	case <-read:
	case <-time.After(2 * time.Second): // a child process keeps its output open
	}
	r.Close()
	<-read
	if s.leave != nil {
		s.leave()
	}
	s.mu.Lock()
	s.ended = true
	s.changed.Broadcast()
	s.mu.Unlock()
	close(s.done)
}

// waitForEvent waits for a matching event; ok is false if the command ended before.
func (s *started) waitForEvent(match func(runEvent) bool) (e runEvent, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for seen := 0; ; {
		for ; seen < len(s.events); seen++ {
			if match(s.events[seen]) {
				return s.events[seen], true
			}
		}
		if s.ended {
			return e, false
		}
		s.changed.Wait()
	}
}

// waitForStep waits until the step has started, or fails the test.
func (s *started) waitForStep(step string) runEvent {
	s.p.t.Helper()
	e, ok := s.waitForEvent(func(e runEvent) bool { return e.Kind == "step.started" && e.Step == step })
	if !ok {
		s.p.t.Fatalf("slipway %s ended before step %s:\n%s", strings.Join(s.args, " "), step, s.wait())
	}
	return e
}

// kill sends SIGKILL, which ends the process as a power cut would.
func (s *started) kill() result {
	_ = s.cmd.Process.Kill()
	return s.wait()
}

func (s *started) signal(sig os.Signal) { _ = s.cmd.Process.Signal(sig) }

// wait waits for the end.
func (s *started) wait() result {
	<-s.done
	code := s.cmd.ProcessState.ExitCode()
	if status, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		code = 128 + int(status.Signal())
	}
	r := result{s.p, s.args, code, s.stdout.String(), s.stderr.String(), s.events, s.report}
	s.p.results = append(s.p.results, r)
	return r
}

func (r result) String() string {
	return fmt.Sprintf("$ slipway %s\n%s%s[exit %d]\n", strings.Join(r.args, " "), truncate(r.stdout), truncate(r.stderr), r.code)
}

func truncate(s string) string {
	const most = 12000
	if len(s) > most {
		return s[:most/2] + "\n...\n" + s[len(s)-most/2:]
	}
	return s
}

// wantRun checks the exit code and the run's outcome.
func (r result) wantRun(code int, outcome string) result {
	r.p.t.Helper()
	if r.code != code || r.report.Outcome != outcome {
		r.p.t.Fatalf("exit %d, outcome %q; want exit %d, outcome %q\n%s", r.code, r.report.Outcome, code, outcome, r)
	}
	return r
}

// wantExit checks the exit code.
func (r result) wantExit(code int) result {
	r.p.t.Helper()
	if r.code != code {
		r.p.t.Fatalf("exit %d, want %d\n%s", r.code, code, r)
	}
	return r
}

// wantText checks that stdout or stderr contains each text.
func (r result) wantText(texts ...string) result {
	r.p.t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.stdout+r.stderr, text) {
			r.p.t.Fatalf("nothing says %q\n%s", text, r)
		}
	}
	return r
}

// step is the report of a step.
func (r result) step(name string) stepReport {
	r.p.t.Helper()
	for _, s := range r.report.Steps {
		if s.Name == name {
			return s
		}
	}
	r.p.t.Fatalf("no step %q in the report\n%s", name, r)
	return stepReport{}
}

// runJSON reads a JSON document that a command prints.
func runJSON[T any](p *project, args ...string) T {
	p.t.Helper()
	var doc T
	r := p.slipway(append(args, "--json")...).wantExit(0)
	if err := json.Unmarshal([]byte(r.stdout), &doc); err != nil {
		p.t.Fatalf("slipway %s --json: %v\n%s", strings.Join(args, " "), err, r)
	}
	return doc
}

// lockedBuffer can be written by one goroutine while another reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
