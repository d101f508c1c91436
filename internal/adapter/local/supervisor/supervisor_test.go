//go:build linux

package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

func TestConfig_NextBackoff(t *testing.T) {
	var c Config
	c.setDefaults()
	var got []string
	wait := time.Duration(0)
	for range 10 {
		wait = c.nextBackoff(wait, time.Second)
		got = append(got, wait.String())
	}
	if want := "100ms 200ms 400ms 800ms 1.6s 3.2s 6.4s 12.8s 25.6s 30s"; strings.Join(got, " ") != want {
		t.Errorf("waits = %v, want %s", got, want)
	}
	if wait = c.nextBackoff(wait, c.StableAfter); wait != c.MinBackoff {
		t.Errorf("after a stable time it waits %v, want %v", wait, c.MinBackoff)
	}
}

func TestStore_PutIsRead(t *testing.T) {
	dir := t.TempDir()
	s := &store{dir: dir}
	want := EnvironmentState{Service: "s", Environment: "e", Port: 18001, Promoted: &ReleaseSpec{Release: "r-aaaaaaaaaaaa", Spec: Spec{Rootfs: filepath.Join(dir, "rootfs", "x")}}}
	if err := s.put("s/e", want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadState(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]EnvironmentState{"s/e": want}, got.Environments); diff != "" {
		t.Errorf("environments (-want +got):\n%s", diff)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".state*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestState_KeepsFieldsOfNewerVersion: of an environment that changes, and of the others.
func TestState_KeepsFieldsOfNewerVersion(t *testing.T) {
	dir := t.TempDir()
	const newer = `"newer": {"x": 1}`
	given := `{"schema": 1, "environments": {"s/e": {"service": "s", "environment": "e", "port": 18001, "promoted": {"release": "r-aaaaaaaaaaaa", "spec": {"rootfs": "/before/rootfs/x", "image": {}, "workload": {"replicas": 1, "health": "/", NEWER}, NEWER}, NEWER}, NEWER},
		"s/f": {"service": "s", "environment": "f", "port": 18002, NEWER}}, NEWER}`
	if err := os.WriteFile(filepath.Join(dir, "state.json"), []byte(strings.ReplaceAll(given, "NEWER", newer)), 0o600); err != nil {
		t.Fatal(err)
	}
	state, err := ReadState(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &store{dir: dir, state: state}
	e, _ := s.get("s/e")
	e.Port = 18003
	if err := s.put("s/e", e); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(strings.Fields(string(raw)), ""); strings.Count(text, `"newer":{"x":1}`) != strings.Count(given, "NEWER") || !strings.Contains(text, `"port":18003`) {
		t.Errorf("state.json = %s\nwant the new port, and all fields of the newer version", raw)
	}
}

func TestStore_PutFailureChangesNothing(t *testing.T) {
	dir := t.TempDir()
	s := &store{dir: filepath.Join(dir, "gone")}
	if err := s.put("s/e", EnvironmentState{Port: 1}); !fault.Is(err, fault.Exhausted) {
		t.Errorf("error = %v, want %s", err, fault.Exhausted)
	}
	if _, ok := s.get("s/e"); ok {
		t.Error("it is in memory, but not on disk")
	}
}

func TestReadState_RejectsOtherSchema(t *testing.T) {
	dir := t.TempDir()
	for text, kind := range map[string]fault.Kind{`{"schema": 2}`: fault.Conflict, `nonsense`: fault.Corrupt, ``: fault.Corrupt} {
		if err := os.WriteFile(filepath.Join(dir, "state.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadState(dir); !fault.Is(err, kind) || fault.HintOf(err) == "" {
			t.Errorf("%q: error = %v, want %s with a hint", text, err, kind)
		}
	}
}

func TestFindListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at := l.Addr().(*net.TCPAddr).Port
	if got, want := findListener("/proc", at), fmt.Sprintf("process %d (", os.Getpid()); !strings.HasPrefix(got, want) {
		t.Errorf("port %d belongs to %q, want %q", at, got, want)
	}
	if got := findListener(t.TempDir(), at); got != "" {
		t.Errorf("without /proc: %q, want nothing", got)
	}
}

func TestPorts_AcquireIsUnique(t *testing.T) {
	var p ports
	seen := map[int]bool{}
	for range 50 {
		n, err := p.acquire()
		if err != nil || seen[n] || n < minReplica || n >= minReplica+numReplica {
			t.Fatalf("port %d, %v (twice: %v)", n, err, seen[n])
		}
		seen[n] = true
	}
}

func TestStablePort_IsDeterministic(t *testing.T) {
	one, err1 := stablePort("retail/dev", nil)
	two, err2 := stablePort("retail/dev", nil)
	other, err3 := stablePort("retail/dev", map[int]bool{one: true})
	if one != two || other == one || err1 != nil || err2 != nil || err3 != nil {
		t.Errorf("ports %d, %d, %d (%v %v %v); want the same twice, then another", one, two, other, err1, err2, err3)
	}
}

// TestKillOrphans: a process is identified by its start time, too, so that one
// that reuses its PID is not killed.
func TestKillOrphans(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*processRecord)
		ended  bool
	}{
		{"ours", func(*processRecord) {}, true},
		{"another start", func(tr *processRecord) { tr.Processes[0].Start = "1" }, false},
		{"another boot", func(tr *processRecord) { tr.Boot = "before" }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command("sleep", "60")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			defer func() { _ = cmd.Process.Kill() }()
			start, ok := startTime(cmd.Process.Pid)
			if !ok {
				t.Fatal("the process was not found")
			}
			left := processRecord{Boot: bootID(), Processes: []process{{cmd.Process.Pid, start}}}
			c.change(&left)
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "run"), 0o700); err != nil {
				t.Fatal(err)
			}
			raw, _ := json.Marshal(left)
			file := filepath.Join(dir, "run", "x.json")
			if err := os.WriteFile(file, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := killOrphans(context.Background(), dir); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(file); err == nil {
				t.Error("the trace is still there")
			}
			alive := syscall.Kill(cmd.Process.Pid, 0) == nil
			if c.ended {
				<-ended
				alive = false
			}
			if alive == c.ended {
				t.Errorf("alive = %v, want %v", alive, !c.ended)
			}
		})
	}
}

func TestLogFile_RotatesAndLimits(t *testing.T) {
	dir := t.TempDir()
	clock := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	tick := func() time.Time { clock = clock.Add(time.Millisecond); return clock }
	l := &logFile{path: filepath.Join(logDir(dir, "s", "e"), "r-aaaaaaaaaaaa-1.log"), max: 1000, now: tick}
	var text strings.Builder
	for i := range 100 {
		fmt.Fprintf(&text, "line %d\r\n", i)
	}
	text.WriteString(strings.Repeat("x", 3*maxLine) + "\nno end")
	l.copy(strings.NewReader(text.String()))
	l.finish()
	if tail := l.tail(); len(tail) > maxTail || tail[len(tail)-1] != "no end" {
		t.Errorf("last lines = %d, the last is %q", len(tail), tail[len(tail)-1])
	}
	got, err := ReadLogs(dir, "s", "e", nil, 10)
	if err != nil || len(got) > 10 || !strings.HasSuffix(got[len(got)-1], "r-aaaaaaaaaaaa-1 | no end") {
		t.Errorf("lines = %.200q, %v", got, err)
	}
	if _, err := os.Stat(l.path + ".1"); err != nil {
		t.Error("it was not rotated")
	}
	if got, err := ReadLogs(dir, "s", "e", []delivery.ReleaseID{"r-bbbbbbbbbbbb"}, 10); err != nil || len(got) != 0 {
		t.Errorf("lines of another release = %q, %v", got, err)
	}
	if got, err := ReadLogs(dir, "s", "nowhere", nil, 10); err != nil || len(got) != 0 {
		t.Errorf("lines of nothing = %q, %v", got, err)
	}
}

func TestContainerSpec_Environment(t *testing.T) {
	o := ReleaseRequest{Environment: "dev", Release: "r-aaaaaaaaaaaa", Spec: Spec{
		Rootfs: t.TempDir(), Model: "/m", ModelVersion: "3",
		Image:    port.ImageConfig{Entrypoint: []string{"/app"}, Cmd: []string{"serve"}, Env: []string{"PATH=/bin", "A=image", "PORT=1", "nonsense"}},
		Workload: delivery.Workload{Env: map[string]string{"A": "workload", "PORT": "2", "MODEL_PATH": "/elsewhere"}},
	}}
	s, _, err := containerSpec(o)
	if err != nil {
		t.Fatal(err)
	}
	want := "A=workload MODEL_PATH=/model MODEL_VERSION=3 PATH=/bin SLIPWAY_ENVIRONMENT=dev SLIPWAY_RELEASE=r-aaaaaaaaaaaa"
	if got := strings.Join(s.Env, " "); got != want {
		t.Errorf("environment = %s, want %s", got, want)
	}
	if got := strings.Join(s.Args, " "); got != "/app serve" {
		t.Errorf("arguments = %s", got)
	}
	o.Spec.Workload.Args = []string{"-v"}
	if s, _, _ = containerSpec(o); strings.Join(s.Args, " ") != "/app -v" {
		t.Errorf("arguments = %v: the workload's replace the image's", s.Args)
	}
}
