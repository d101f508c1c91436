//go:build linux

package local_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local"
	"github.com/slipway-cd/slipway/internal/adapter/local/container"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// TestMain lets the test binary be the supervisor and the container's first
// process, as the real program is.
func TestMain(m *testing.M) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	if code, handled := local.RunInternal(ctx, os.Args[1:], os.Stderr); handled {
		os.Exit(code)
	}
	if dir := os.Getenv("SLIPWAY_TEST_CLIENT"); dir != "" {
		os.Exit(client(ctx, dir))
	}
	stop()
	os.Exit(m.Run())
}

// stored is an image registry and a model store in one folder of the test.
type stored struct {
	t      testing.TB
	sample string
	user   string
	mu     sync.Mutex
}

func (s *stored) Unpack(_ context.Context, _ delivery.Image, dir string) (port.ImageConfig, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	config := port.ImageConfig{Entrypoint: []string{"/app/sample"}, Env: []string{"PATH=/app", "FROM_IMAGE=yes"}, WorkingDir: "/app", User: s.user}
	if _, err := os.Stat(filepath.Join(dir, "app/sample")); err == nil {
		return config, nil
	}
	if err := os.MkdirAll(filepath.Join(dir, "app"), 0o755); err != nil {
		return config, err
	}
	return config, copyFile(s.sample, filepath.Join(dir, "app/sample"), 0o755)
}

func (s *stored) Fetch(_ context.Context, m delivery.ModelRef, dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := os.Stat(filepath.Join(dir, "model.txt")); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "model.txt"), []byte(m.Digest), 0o400)
}

func (s *stored) Push(context.Context, string, delivery.Image, string, port.Progress) (delivery.Image, error) {
	return delivery.Image{}, fault.New(fault.Unavailable, "push: not in this test")
}
func (s *stored) Has(context.Context, delivery.Image) (bool, error) { return true, nil }
func (s *stored) Reference(i delivery.Image) string                 { return i.String() }
func (s *stored) Store(context.Context, string, string, map[string]string) (delivery.Digest, error) {
	return "", fault.New(fault.Unavailable, "store: not in this test")
}

func copyFile(from, to string, mode os.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}

// stand is a target with its folder and what it needs.
type stand struct {
	*local.Target
	cfg   local.Config
	store *stored
}

var (
	buildOnce sync.Once
	built     string
)

// sample builds the sample service once for the whole test binary.
func sample(t testing.TB) string {
	buildOnce.Do(func() {
		if built = os.Getenv("SLIPWAY_TEST_SAMPLE"); built != "" {
			return
		}
		dir, err := os.MkdirTemp("", "slipway-sample-")
		if err != nil {
			t.Fatal(err)
		}
		_ = os.Chmod(dir, 0o755)
		built = filepath.Join(dir, "sample")
		if err := copyFile(porttest.BuildSample(t), built, 0o755); err != nil {
			t.Fatal(err)
		}
	})
	return built
}

// patience is for a sample that has to start while other tests keep the machine
// busy; the few that never become ready cost as much.
const patience = 10 * time.Second

func newStand(t testing.TB, change func(*local.Config)) *stand {
	t.Helper()
	s := &stored{t: t, sample: sample(t)}
	base := t.TempDir()
	cfg := local.Config{Dir: filepath.Join(base, "local"), StartTimeout: patience, GracePeriod: 2 * time.Second, Images: s, Artifacts: s}
	if change != nil {
		change(&cfg)
	}
	requireContainers(t, cfg.Runtime)
	// As root, bwrap runs as the service's user, who must be able to get here.
	for _, dir := range []string{base, filepath.Dir(base)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	target := &stand{Target: local.New(cfg), cfg: cfg, store: s}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := target.Down(ctx); err != nil {
			t.Errorf("down: %v", err)
		}
		wantNobodyLeft(t, cfg.Dir)
		if t.Failed() {
			said, _ := os.ReadFile(filepath.Join(cfg.Dir, "supervisor.log"))
			t.Logf("supervisor.log:\n%s", said)
		}
	})
	return target
}

// wantNobodyLeft looks for processes that live on a folder: by their mounts, or
// by the mark of those that never became a service.
func wantNobodyLeft(t testing.TB, dir string) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second) // the kernel ends them in its own time
	for {
		var left []string
		files, _ := filepath.Glob("/proc/[0-9]*/mountinfo")
		for _, file := range files {
			mounts, _ := os.ReadFile(file)
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
			if strings.Contains(string(mounts), dir+"/") || strings.HasPrefix(string(line), container.ProcessMark(dir)) {
				left = append(left, fmt.Sprintf("%s: %q", filepath.Dir(file), line))
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("left behind: %s", strings.Join(left, "\n"))
			return
		}
		time.Sleep(20 * time.Millisecond) // between two looks
	}
}

// requireContainers skips where this machine forbids them to this user.
func requireContainers(t testing.TB, runtime string) {
	t.Helper()
	if runtime == "bwrap" {
		if _, err := exec.LookPath("bwrap"); err != nil {
			t.Skip("bubblewrap is not installed")
		}
		return
	}
	if os.Geteuid() == 0 {
		return
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	if err := cmd.Run(); err != nil {
		t.Skipf("this machine forbids user namespaces to ordinary users: %v", err)
	}
}

func digest(text string) delivery.Digest {
	sum := sha256.Sum256([]byte(text))
	return delivery.Digest("sha256:" + hex.EncodeToString(sum[:]))
}

func (s *stand) order(o porttest.Sample) port.DeployRequest { return s.orderIn("dev", o) }

func (s *stand) orderIn(env delivery.Environment, o porttest.Sample) port.DeployRequest {
	name := digest(o.Version + "/" + o.Mode)
	return port.DeployRequest{
		Service: "sample", Environment: env, ID: delivery.ReleaseID("r-" + name.Short()),
		Release: delivery.Release{
			Image: delivery.Image{Repository: "sample", Digest: digest("image")},
			Model: &delivery.ModelRef{Group: "models", Version: 7, Digest: digest("model " + o.Version)},
			Workload: delivery.Workload{
				Replicas: 2, Health: "/health", Ready: "/ready", Drain: delivery.Duration(5 * time.Second),
				Env: map[string]string{"SAMPLE_VERSION": o.Version, "SAMPLE_MODE": o.Mode},
			},
		},
	}
}

func (s *stand) deploy(t testing.TB, o port.DeployRequest) port.Observation {
	t.Helper()
	ctx := context.Background()
	if _, err := s.Stage(ctx, o, nil); err != nil {
		t.Fatalf("stage: %v", err)
	}
	seen, err := s.Promote(ctx, o, nil)
	if err != nil {
		t.Fatalf("promote: %v", err)
	}
	return seen
}

func runtimes() []string { return []string{"namespaces", "bwrap"} }

func TestConformance(t *testing.T) {
	for _, runtime := range runtimes() {
		t.Run(runtime, func(t *testing.T) {
			porttest.TestTarget(t, func(t *testing.T) porttest.TargetFixture {
				s := newStand(t, func(c *local.Config) { c.Runtime = runtime })
				return porttest.TargetFixture{Target: s, Request: s.order}
			})
		})
	}
}

func TestMeter(t *testing.T) {
	porttest.TestTrafficReporter(t, func(t *testing.T) porttest.TargetFixture {
		s := newStand(t, nil)
		return porttest.TargetFixture{Target: s, Request: s.order}
	})
}

// TestAsOrdinaryUser runs what may differ again, as a user without rights.
func TestAsOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this is an ordinary user already; as root, the package also runs as uid 65534")
	}
	dir, err := os.MkdirTemp("", "slipway-ordinary-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	self, tmp := filepath.Join(dir, "local.test"), filepath.Join(dir, "tmp")
	if err := copyFile("/proc/self/exe", self, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(tmp, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.v", "-test.timeout=4m", "-test.run=Conformance|Inside|SupervisorKilled$|Crash|Limits|LongFolder|Down|Meter|PortTaken")
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + tmp, "HOME=" + tmp, "SLIPWAY_TEST_SAMPLE=" + sample(t)}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("as uid 65534: %v\n%s", err, said)
	}
	t.Logf("as uid 65534:\n%s", said)
}
