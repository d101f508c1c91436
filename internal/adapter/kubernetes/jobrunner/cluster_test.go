//go:build e2e

package jobrunner

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/e2e/cluster"
	"github.com/slipway-cd/slipway/e2e/imageserver"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// registryVariable makes the test's own program a registry in the cluster's network.
const registryVariable = "SLIPWAY_TEST_REGISTRY_TRAIN"

func TestMain(m *testing.M) {
	if os.Getenv(registryVariable) != "" {
		programs := []string{"sh", "tar", "mktemp", "mv", "rm", "mkdir", "cat", "sleep", "touch"}
		fmt.Fprintln(os.Stderr, "registry:", imageserver.ServePrograms("train", programs, os.Stdin))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// trainingCluster is a cluster with an image that has a shell, and a namespace with an
// account that has the role of docs/kubernetes-train-role.yaml and no other.
type trainingCluster struct {
	t          *testing.T
	cluster    *cluster.Cluster
	image      string
	namespace  string
	kubeconfig []byte
}

func startCluster(t *testing.T) *trainingCluster {
	t.Helper()
	k := &trainingCluster{t: t}
	if path := os.Getenv("KUBECONFIG"); path != "" {
		k.cluster = cluster.Existing(path)
	} else {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
		defer cancel()
		var err error
		if k.cluster, err = cluster.Start(ctx, cluster.Config{Log: os.Stderr}); errors.Is(err, cluster.ErrUnsupported) {
			t.Skipf("no cluster here (KUBECONFIG would name one): %v", err)
		} else if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = k.cluster.Stop() })
	}
	k.serveImage()
	return k.newNamespace(t)
}

// newNamespace is the cluster with another namespace.
func (k *trainingCluster) newNamespace(t *testing.T) *trainingCluster {
	t.Helper()
	k = &trainingCluster{t: t, cluster: k.cluster, image: k.image, namespace: fmt.Sprintf("train-%08x", rand.Uint32())}
	k.kubectl("create", "namespace", k.namespace)
	t.Cleanup(func() {
		if t.Failed() {
			all, _ := k.cluster.Kubectl(context.Background(), "-n", k.namespace, "get", "jobs,pods,events", "-o", "wide")
			t.Log(all)
		}
		_, _ = k.cluster.Kubectl(context.Background(), "delete", "namespace", k.namespace, "--wait=false")
	})
	k.kubectl("-n", k.namespace, "apply", "-f", "../../../../docs/kubernetes-train-role.yaml")
	token := strings.TrimSpace(k.kubectl("-n", k.namespace, "create", "token", "slipway-train", "--duration=1h"))
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(k.kubectl("config", "view", "--raw", "--minify", "--flatten")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"set-credentials", "train", "--token", token}, {"set-context", "--current", "--user", "train"}} {
		if out, err := exec.Command("kubectl", append([]string{"--kubeconfig", path, "config"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	var err error
	if k.kubeconfig, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *trainingCluster) serveImage() {
	k.t.Helper()
	registry := k.cluster.Command(os.Args[0])
	registry.Env = append(os.Environ(), registryVariable+"=1")
	registry.Stderr = os.Stderr
	stdin, err := registry.StdinPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	out, err := registry.StdoutPipe()
	if err == nil {
		err = registry.Start()
	}
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { _ = stdin.Close(); _ = registry.Wait() })
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		k.t.Fatal("the registry printed no address")
	}
	k.image = lines.Text()
}

func (k *trainingCluster) kubectl(args ...string) string {
	k.t.Helper()
	out, err := k.cluster.Kubectl(k.t.Context(), args...)
	if err != nil {
		k.t.Fatal(err)
	}
	return out
}

// open opens the jobs as another process would.
func (k *trainingCluster) open(t *testing.T, s Section) *Jobs {
	t.Helper()
	patience := time.Duration(0)
	if s.Image != "" || s.NodeSelector != nil { // what never heals
		patience = 3 * time.Second
	}
	s.Image = cmp.Or(s.Image, k.image)
	j := New(Config{Section: s, Patience: patience, Connect: func() (*client.Client, error) {
		return client.Connect(client.Location{Namespace: k.namespace}, k.kubeconfig, nil)
	}})
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func await(t *testing.T, j *Jobs, h port.JobHandle, what string, done func(port.JobState) bool) port.JobState {
	t.Helper()
	for end := time.Now().Add(90 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		s, err := j.Poll(t.Context(), h)
		if err != nil {
			t.Fatalf("%s: %v; log:\n%s", what, err, logOf(t, j, h))
		}
		if done(s) {
			return s
		}
		if time.Now().After(end) {
			t.Fatalf("%s: state %+v after 90 s; log:\n%s", what, s, logOf(t, j, h))
		}
	}
}

func isDone(s port.JobState) bool { return s.Done }

func logOf(t *testing.T, j *Jobs, h port.JobHandle) string {
	t.Helper()
	log, err := j.Log(t.Context(), h, 0)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(log)
	return string(text)
}

func submitted(t *testing.T, j *Jobs, job port.Job) port.JobHandle {
	t.Helper()
	h, err := j.Submit(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestCluster(t *testing.T) {
	k := startCluster(t)
	named := func(t *testing.T, run string) port.Job {
		job := sampleJob(t, run)
		job.Name = fmt.Sprintf("20261124-101502-%04x-train-1", rand.Uint32()&0xffff)
		return job
	}
	t.Run("trains", func(t *testing.T) {
		t.Parallel()
		k.testTrains(t, named(t, `. ./train.sh; cat /slipway/in/data/0/* /slipway/in/data/1/* > /slipway/out/model/m; mkdir /slipway/out/model/sub; echo x > /slipway/out/model/sub/vocab; sleep 2; echo "end of $TOKEN"`))
	})
	t.Run("fails", func(t *testing.T) {
		t.Parallel()
		j, job := k.open(t, Section{}), named(t, "echo no GPU >&2; echo partial > /slipway/out/model/m; exit 4")
		h := submitted(t, j, job)
		s := await(t, j, h, "failed", isDone)
		if s.Exit.Code != 4 || s.Reason != "" || logOf(t, j, h) != "no GPU\n" {
			t.Errorf("state = %+v, log %q, want exit code 4", s, logOf(t, j, h))
		}
	})
	t.Run("times out", func(t *testing.T) {
		t.Parallel()
		j, job := k.open(t, Section{}), named(t, "echo on; sleep 600")
		job.Command.Timeout = 2 * time.Second
		h := submitted(t, j, job)
		if s := await(t, j, h, "timed out", isDone); !s.Exit.TimedOut || s.Reason == "" {
			t.Errorf("state = %+v, want it timed out", s)
		}
	})
	t.Run("stops", func(t *testing.T) {
		t.Parallel()
		j, job := k.open(t, Section{}), named(t, "echo on; sleep 600")
		h := submitted(t, j, job)
		await(t, j, h, "prints", func(port.JobState) bool { return logOf(t, j, h) == "on\n" })
		if err := j.Stop(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		k.requireEnded(t, h)
		if s, err := k.open(t, Section{}).Poll(t.Context(), h); err != nil || !s.Done || s.Reason != "stopped" {
			t.Errorf("without its pod: %+v, %v, want it stopped", s, err)
		}
	})
	for name, c := range map[string]struct {
		section Section
		want    string
	}{
		"no such image": {Section{Image: "127.0.0.1:1/none:1"}, "can't be pulled"},
		"no such node":  {Section{NodeSelector: map[string]string{"no": "such"}}, "no node can run the pod"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := k.open(t, c.section)
			h := submitted(t, j, named(t, "true"))
			s := await(t, j, h, name, isDone)
			if !strings.Contains(s.Reason, c.want) || !strings.Contains(logOf(t, j, h), "slipway: waiting: ") {
				t.Errorf("reason = %q, log %q, want %q", s.Reason, logOf(t, j, h), c.want)
			}
		})
	}
	t.Run("conformance", func(t *testing.T) {
		porttest.TestJobsElsewhere(t, func(t *testing.T) func() port.Jobs {
			own := k.newNamespace(t)
			return func() port.Jobs { return own.open(t, Section{}) }
		})
	})
}

// requireEnded wants the pods of a job to go within a minute, and its Job to stay, failed:
// the cluster removes it with those that have finished.
func (k *trainingCluster) requireEnded(t *testing.T, h port.JobHandle) {
	t.Helper()
	name, _ := objectName(h)
	for end := time.Now().Add(time.Minute); ; time.Sleep(500 * time.Millisecond) {
		pods := k.kubectl("-n", k.namespace, "get", "pods", "-l", jobLabel+"="+name, "-o", "name")
		failed := k.kubectl("-n", k.namespace, "get", "job", name, "-o", `jsonpath={.status.conditions[?(@.type=="Failed")].status}`)
		if strings.TrimSpace(pods) == "" && failed == "True" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("left after Stop: %q; failed: %q", pods, failed)
		}
	}
}
