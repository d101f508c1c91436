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

// TestMain makes the test binary the supervisor and the first process of
// containers, like the real program.
func TestMain(m *testing.M) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	if code, handled := local.RunInternal(ctx, os.Args[1:], os.Stderr); handled {
		os.Exit(code)
	}
	if dir := os.Getenv("SLIPWAY_TEST_CLIENT"); dir != "" {
		os.Exit(runClient(ctx, dir))
	}
	stop()
	os.Exit(m.Run())
}

// fakeStore is an image registry and a model store in one folder of the test.
type fakeStore struct {
	t      testing.TB
	sample string
	user   string
	ports  []int // that the image exposes
	mu     sync.Mutex

	onFetch func(dir string) // called with the folder of a model that is there already
}

func (s *fakeStore) Unpack(_ context.Context, _ delivery.Image, dir string) (port.ImageConfig, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	config := port.ImageConfig{Entrypoint: []string{"/app/sample"}, Env: []string{"PATH=/app", "FROM_IMAGE=yes"}, WorkingDir: "/app", User: s.user, Ports: s.ports}
	if _, err := os.Stat(filepath.Join(dir, "app/sample")); err == nil {
		return config, nil
	}
	if err := os.MkdirAll(filepath.Join(dir, "app"), 0o755); err != nil {
		return config, err
	}
	return config, copyFile(s.sample, filepath.Join(dir, "app/sample"), 0o755)
}

func (s *fakeStore) Fetch(_ context.Context, m delivery.ModelRef, dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := os.Stat(filepath.Join(dir, "model.txt")); err == nil {
		if s.onFetch != nil {
			s.onFetch(dir)
		}
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "model.txt"), []byte(m.Digest), 0o400)
}

func (s *fakeStore) Push(context.Context, string, delivery.Image, string, port.Progress) (delivery.Image, error) {
	return delivery.Image{}, fault.New(fault.Unavailable, "push: not in this test")
}
func (s *fakeStore) Find(context.Context, string, string) (delivery.Image, bool, error) {
	panic("not used")
}
func (s *fakeStore) Tag(context.Context, delivery.Image, string) error      { panic("not used") }
func (s *fakeStore) Download(context.Context, delivery.Image, string) error { panic("not used") }
func (s *fakeStore) AttachRevision(context.Context, delivery.Image, delivery.Commit) error {
	panic("not used")
}
func (s *fakeStore) Has(context.Context, delivery.Image) (bool, error) { return true, nil }
func (s *fakeStore) Reference(i delivery.Image) string                 { return i.String() }
func (s *fakeStore) Store(context.Context, string, string, map[string]string) (delivery.Digest, error) {
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

// testTarget is a target with its folder and dependencies.
type testTarget struct {
	*local.Target
	cfg     local.Config
	store   *fakeStore
	service string
}

var (
	buildOnce sync.Once
	built     string
)

// sample builds the sample service once per test binary.
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

// startTimeout lets a sample start while other tests keep the machine busy; the
// few that never become ready take as long.
const startTimeout = 10 * time.Second

func newTestTarget(t testing.TB, change func(*local.Config)) *testTarget {
	t.Helper()
	s := &fakeStore{t: t, sample: sample(t)}
	base := t.TempDir()
	cfg := local.Config{Dir: filepath.Join(base, "local"), StartTimeout: startTimeout, GracePeriod: 2 * time.Second, Images: s, Artifacts: s}
	if change != nil {
		change(&cfg)
	}
	requireContainers(t, cfg.Runtime)
	// As root, bwrap runs as the service's user, who needs access to the folder.
	for _, dir := range []string{base, filepath.Dir(base)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	target := &testTarget{Target: local.New(cfg), cfg: cfg, store: s, service: testService(t)}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := target.Down(ctx); err != nil {
			t.Errorf("down: %v", err)
		}
		requireNoProcessesLeft(t, cfg.Dir)
		if t.Failed() {
			said, _ := os.ReadFile(filepath.Join(cfg.Dir, "supervisor.log"))
			t.Logf("supervisor.log:\n%s", said)
		}
	})
	return target
}

// requireNoProcessesLeft looks for processes that use a folder, by their mounts
// or by the mark of those that never became a service.
func requireNoProcessesLeft(t testing.TB, dir string) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second) // the kernel takes a moment
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
		time.Sleep(20 * time.Millisecond) // poll interval
	}
}

// requireContainers skips the test if this machine forbids containers to this
// user.
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

func (s *testTarget) request(o porttest.Sample) port.DeployRequest { return s.requestIn("dev", o) }

func (s *testTarget) requestIn(env delivery.Environment, o porttest.Sample) port.DeployRequest {
	name := digest(o.Version + "/" + o.Mode)
	return port.DeployRequest{
		Service: s.service, Environment: env, ID: delivery.ReleaseID("r-" + name.Short()),
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

func (s *testTarget) deploy(t testing.TB, o port.DeployRequest) port.Observation {
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

func TestTarget_Conformance(t *testing.T) {
	for _, runtime := range runtimes() {
		t.Run(runtime, func(t *testing.T) {
			porttest.TestTarget(t, func(t *testing.T) porttest.TargetFixture {
				s := newTestTarget(t, func(c *local.Config) { c.Runtime = runtime })
				return porttest.TargetFixture{Target: s, Request: s.request}
			})
		})
	}
}

func TestTarget_Traffic(t *testing.T) {
	porttest.TestTrafficReporter(t, func(t *testing.T) porttest.TargetFixture {
		s := newTestTarget(t, nil)
		return porttest.TargetFixture{Target: s, Request: s.request}
	})
}

// TestTarget_AsUnprivilegedUser repeats the tests whose results may differ for an
// unprivileged user.
func TestTarget_AsUnprivilegedUser(t *testing.T) {
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
	cmd := exec.Command(self, "-test.v", "-test.timeout=6m", "-test.run=Target_Conformance|Target_Traffic|Target_LongFolder|Container_Isolation|Supervisor_KilledIsRestored|Replica_RestartsAfterCrash|Replica_NotesUnenforcedLimits|Target_Identifies|Down_KeepsState|Stage_PortInUse|ReplicaPort_TakenByStranger|FixedPort|WrongPort|Writable|ModelOpened|Secrets")
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + tmp, "HOME=" + tmp, "SLIPWAY_TEST_SAMPLE=" + sample(t)}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("as uid 65534: %v\n%s", err, said)
	}
	t.Logf("as uid 65534:\n%s", said)
}
