//go:build e2e

package buildkit_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/buildkit"
	"github.com/slipway-cd/slipway/internal/adapter/oci"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

func (f *fixture) unpack(t *testing.T, img delivery.Image, arch string) {
	t.Helper()
	e, err := f.images.Has(t.Context(), img)
	if err != nil || !e {
		t.Fatal(e, err)
	}
	other := oci.New(oci.Config{Arch: arch})
	outside := delivery.Image{Repository: f.registry + "/" + img.Repository, Digest: img.Digest}
	dir := filepath.Join(t.TempDir(), "rootfs")
	if _, err := other.Unpack(t.Context(), outside, dir); err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "arch")); err != nil || string(raw) != arch {
		t.Errorf("for %s: %q, %v", arch, raw, err)
	}
}

// testCommandFails: the line, the exit and what it printed last.
func (f *fixture) testCommandFails(t *testing.T) {
	o := project(t, "FROM shell:1\n\nRUN print first && print the reason \\\n  && exit 3\n")
	var log bytes.Buffer
	_, err := f.builder().Build(t.Context(), o, &log)
	if !fault.Is(err, fault.Failed) {
		t.Fatalf("Build = %v", err)
	}
	for _, want := range []string{"Dockerfile:3", "exit code 3", "first\nthe reason"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}
	if !strings.Contains(log.String(), " the reason\n") || !strings.Contains(log.String(), "ERROR: ") {
		t.Errorf("log:\n%s", log.String())
	}
	if _, err := os.Stat(o.Layout); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something is left: %v", err)
	}
}

// testBases: one that is not there, one in a registry that can't be reached, and
// one in a registry that answers nonsense.
func (f *fixture) testBases(t *testing.T) {
	_, err := f.builder().Build(t.Context(), project(t, "FROM "+f.registry+"/nowhere:1\n"), io.Discard)
	if !fault.Is(err, fault.Failed) || !strings.Contains(err.Error(), "Dockerfile:1") || !strings.Contains(fault.HintOf(err), "docker login") {
		t.Errorf("no such image: %v (%s)", err, fault.HintOf(err))
	}
	_, err = f.builder().Build(t.Context(), project(t, "FROM 127.0.0.1:1/away:1\n"), io.Discard)
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.HintOf(err), buildkit.MirrorsVariable) {
		t.Errorf("no registry: %v (%s)", err, fault.HintOf(err))
	}
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer broken.Close()
	_, err = f.builder().Build(t.Context(), project(t, "FROM "+strings.TrimPrefix(broken.URL, "http://")+"/broken:1\n"), io.Discard)
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("a registry with trouble: %v (%s)", err, fault.HintOf(err))
	}
}

// heard waits until something was written that holds a text.
type heard struct {
	mu   sync.Mutex
	all  bytes.Buffer
	want string
	got  chan struct{}
	once sync.Once
}

func hear(want string) *heard { return &heard{want: want, got: make(chan struct{})} }

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all.Write(p)
	if strings.Contains(h.all.String(), h.want) {
		h.once.Do(func() { close(h.got) })
	}
	return len(p), nil
}

const waits = "FROM shell:1\nRUN print now && wait\n"

func (f *fixture) testCancelled(t *testing.T) {
	stopped := errors.New("somebody stopped it")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	log := hear(" now\n")
	done := make(chan error, 1)
	o := project(t, waits)
	go func() {
		_, err := f.builder().Build(ctx, o, log)
		done <- err
	}()
	<-log.got
	at := time.Now()
	cancel(stopped)
	if err := <-done; !errors.Is(err, stopped) || time.Since(at) > time.Second {
		t.Errorf("Build = %v after %s", err, time.Since(at))
	}
	if _, err := os.Stat(o.Layout + ".partial"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something is left: %v", err)
	}
	f.idle(t)
}

// childVariable makes this test's program build and be killed: it names the checkout.
const childVariable = "SLIPWAY_TEST_BUILD"

// TestChild is the program that testKilled kills.
func TestChild(t *testing.T) {
	dir := os.Getenv(childVariable)
	if dir == "" {
		t.Skip("it is for another test")
	}
	b := buildkit.New(buildkit.Config{Dir: os.Getenv(childVariable + "_STATE")})
	_, err := b.Build(t.Context(), port.BuildRequest{Dir: dir, Service: "api", Layout: filepath.Join(dir, "layout"), Dockerfile: &port.Dockerfile{Path: "Dockerfile"}}, os.Stdout)
	t.Fatalf("it was to wait: %v", err)
}

// testKilled: kill -9 of who builds ends the build, and the next one works.
func (f *fixture) testKilled(t *testing.T) {
	o := project(t, waits)
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$")
	child.Env = append(os.Environ(), childVariable+"="+o.Dir, childVariable+"_STATE="+f.dir)
	for key, value := range f.env {
		child.Env = append(child.Env, key+"="+value)
	}
	log := hear(" now\n")
	child.Stdout = log
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	<-log.got
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it ends with the signal
	f.idle(t)
	o = project(t, "FROM shell:1\nRUN print again\n")
	f.build(t, o, io.Discard)
}

// idle waits until no command of a build runs any more.
func (f *fixture) idle(t *testing.T) {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		bundles, err := filepath.Glob(filepath.Join(f.dir, "root", "runc-*", "executor", "*", "config.json"))
		if err != nil {
			t.Fatal(err)
		}
		if len(bundles) == 0 {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("still at work: %v", bundles)
		}
	}
}

// testDaemon: it is warm, another configuration starts it anew, it can be killed,
// and it ends when it is told to.
func (f *fixture) testDaemon(t *testing.T) {
	o := project(t, "FROM scratch\nCOPY a.txt /\n", "a.txt", "a")
	f.build(t, o, io.Discard)
	first := f.daemon(t)
	f.build(t, o, io.Discard)
	if f.daemon(t) != first {
		t.Error("it was not kept")
	}
	before := f.env[buildkit.MirrorsVariable]
	f.env[buildkit.MirrorsVariable] = before + ",example.com=http://" + f.registry
	f.build(t, o, io.Discard)
	second := f.daemon(t)
	if second == first {
		t.Error("another configuration did not start it anew")
	}
	f.env[buildkit.MirrorsVariable] = before
	p, err := os.FindProcess(second)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	f.build(t, o, io.Discard)
	if err := f.builder().Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if pids := f.daemons(t); len(pids) != 0 {
		t.Errorf("still there: %v", pids)
	}
	if err := f.builder().Stop(t.Context()); err != nil {
		t.Errorf("stop again: %v", err)
	}
	f.testTogether(t)
}

// testTogether: several who start it at once get one daemon.
func (f *fixture) testTogether(t *testing.T) {
	var wg sync.WaitGroup
	for range 4 {
		o := project(t, "FROM scratch\nCOPY a.txt /\n", "a.txt", "a")
		wg.Go(func() {
			if _, err := f.builder().Build(t.Context(), o, io.Discard); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if pids := f.daemons(t); len(pids) != 1 {
		t.Errorf("daemons: %v", pids)
	}
}

func (f *fixture) daemon(t *testing.T) int {
	t.Helper()
	pids := f.daemons(t)
	if len(pids) != 1 {
		t.Fatalf("daemons: %v", pids)
	}
	return pids[0]
}

// daemons are the processes that have our folder on their command line.
func (f *fixture) daemons(t *testing.T) []int {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, file := range lines {
		raw, _ := os.ReadFile(file) // it may have ended meanwhile
		words := strings.Split(string(raw), "\x00")
		if len(words) > 4 && words[0] == f.env[buildkit.ProgramVariable] && strings.Contains(string(raw), filepath.Join(f.dir, "root")) {
			pids = append(pids, number(t, filepath.Base(filepath.Dir(file))))
		}
	}
	return pids
}
