//go:build e2e && linux

package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// timeout bounds each wait for the cluster, on a busy machine.
const timeout = 2 * time.Minute

// Everything that the other tests build on.
func TestCluster_RunsWorkloads(t *testing.T) {
	before := machineState(t)
	c := startCluster(t)
	image := pushImage(t, c)
	manifest, err := os.ReadFile("testdata/hello.yaml")
	must(t, err)
	begin := time.Now()
	_, err = c.KubectlInput(t.Context(), strings.ReplaceAll(string(manifest), "IMAGE", image), "apply", "-f", "-")
	must(t, err)
	kubectl(t, c, "rollout", "status", "deployment/hello", "--timeout=2m")
	t.Logf("apply to Available, 2 replicas: %.1f s", time.Since(begin).Seconds())

	for _, url := range []string{"http://" + c.NodeIP + ":30080/", "http://" + kubectl(t, c, "get", "service", "hello", "-o", "jsonpath={.spec.clusterIP}") + "/"} {
		eventually(t, url+" to answer", func() string { return httpGet(url) }, "hello from hello-")
	}
	pod := kubectl(t, c, "get", "pod", "-l", "app=hello", "-o", "jsonpath={.items[0].status.podIP}")
	eventually(t, "the pod to answer", func() string { return httpGet("http://" + pod + ":8080/") }, "hello from hello-")
	if logs := kubectl(t, c, "logs", "deployment/hello"); !strings.Contains(logs, "hello starts") {
		t.Errorf("log of the pod = %q, want hello starts in it", logs)
	}

	if warnings := kubectl(t, c, "get", "events", "--field-selector=type=Warning,involvedObject.kind=Pod", "-o", "jsonpath={.items[*].reason}"); strings.TrimSpace(strings.ReplaceAll(warnings, "Unhealthy", "")) != "" {
		t.Errorf("warnings about pods: %s", warnings) // a first probe may come too early
	}

	must(t, c.StopAPIServer(t.Context()))
	if _, err := c.Kubectl(t.Context(), "get", "nodes", "--request-timeout=2s"); err == nil {
		t.Error("the stopped API server responds")
	}
	if said := httpGet("http://" + c.NodeIP + ":30080/"); !strings.HasPrefix(said, "hello from ") {
		t.Errorf("response of the NodePort without an API server = %q", said)
	}
	begin = time.Now()
	must(t, c.StartAPIServer(t.Context()))
	t.Logf("start of the API server: %.1f s", time.Since(begin).Seconds())
	must(t, c.RestartAPIServer(t.Context()))
	kubectl(t, c, "get", "deployment", "hello")

	metric := "jsonpath={.status.currentMetrics[0].resource.current.averageUtilization}%"
	eventually(t, "the autoscaler to read its metric", func() string {
		said, _ := c.Kubectl(t.Context(), "get", "hpa", "hello", "-o", metric)
		return strings.TrimPrefix(said, "%")
	}, "%")
	if top := kubectl(t, c, "top", "pods"); !strings.Contains(top, "hello-") {
		t.Errorf("kubectl top = %q, want pods hello-* in it", top)
	}
	t.Logf("memory of everything: %d MB", memoryKB(c)>>10)
	requireCleanStop(t, c, before)
}

// The cluster of a killed test dies with it, and the next one cleans up.
func TestStart_CleansUpAfterKill(t *testing.T) {
	before := machineState(t)
	if err := checkRequirements(); err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), helperEnv+"=cluster"), os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	said := bufio.NewScanner(out)
	if !said.Scan() || said.Text() != "ready" {
		t.Fatalf("the helper printed %q, want ready: %v", said.Text(), cmd.Wait())
	}
	var net namespaceID
	if left := findProcesses(func(pid int) bool { return parentPID(pid) == cmd.Process.Pid }); len(left) > 0 {
		net, err = netnsOf(left[0])
		must(t, err)
	}
	inside := func() []int {
		return findProcesses(func(pid int) bool { id, err := netnsOf(pid); return err == nil && id == net })
	}
	if len(inside()) < 8 {
		t.Fatalf("processes in the cluster = %v, want at least 8", inside())
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	eventually(t, "the processes to die", func() string { return fmt.Sprint(inside()) }, "[]")
	eventually(t, "the link to go", func() string { return fmt.Sprint(linkExists()) }, "false")
	f, err := acquire(t.Context(), io.Discard)
	must(t, err)
	must(t, f.Close())
	requireState(t, before)
}

// A folder with other content is refused, and the content is kept.
func TestStart_RefusesForeignFolder(t *testing.T) {
	if err := checkRequirements(); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	theirs := filepath.Join(dir, "config")
	must(t, os.WriteFile(theirs, []byte("theirs"), 0o644))
	c, err := Start(t.Context(), Config{Dir: dir})
	if err == nil {
		_ = c.Stop()
	}
	if err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("Start: %v, want the folder refused", err)
	}
	if content, err := os.ReadFile(theirs); string(content) != "theirs" {
		t.Errorf("the file contains %q (%v), want theirs", content, err)
	}
}

// An existing cluster is used, but never stopped.
func TestExisting_NeverStops(t *testing.T) {
	c := Existing("/nowhere/config")
	if err := c.RestartAPIServer(t.Context()); !errors.Is(err, ErrUnsupported) {
		t.Errorf("RestartAPIServer: %v, want ErrUnsupported", err)
	}
	if cmd := c.Command("echo", "a"); strings.Join(cmd.Args, " ") != "echo a" {
		t.Errorf("Command = %s, want echo a", cmd)
	}
	if err := c.Stop(); err != nil {
		t.Errorf("Stop: %v", err)
	}
}

// A start that is canceled halfway leaves nothing behind.
func TestStart_CancelledLeavesNothing(t *testing.T) {
	before := machineState(t)
	if err := checkRequirements(); err != nil {
		t.Skip(err)
	}
	for _, after := range []time.Duration{100 * time.Millisecond, 500 * time.Millisecond, 3 * time.Second} {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		c, err := Start(ctx, Config{})
		cancel()
		if err == nil {
			_ = c.Stop()
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Start canceled after %s: %v, want a deadline error", after, err)
		}
		requireState(t, before)
	}
}

func startCluster(t *testing.T) *Cluster {
	t.Helper()
	if err := checkRequirements(); err != nil {
		t.Skip(err)
	}
	_, err := Build(t.Context(), Config{Log: t.Output()})
	must(t, err)
	begin := time.Now()
	c, err := Start(t.Context(), Config{Log: t.Output()})
	must(t, err)
	t.Logf("start: %.1f s", time.Since(begin).Seconds())
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.Logs())
		}
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// pushImage builds hello and serves it from a registry in the cluster's network.
func pushImage(t *testing.T, c *Cluster) (image string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "hello")
	build := exec.Command("go", "build", "-trimpath", "-o", program, "./testdata/hello")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build hello: %v: %s", err, out)
	}
	cmd := c.Command(os.Args[0], program)
	cmd.Env, cmd.Stderr = append(os.Environ(), helperEnv+"=registry"), os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	said := bufio.NewScanner(out)
	if !said.Scan() {
		t.Fatal("the registry printed no reference")
	}
	return said.Text()
}

// requireCleanStop stops the cluster and compares the machine's state with before.
func requireCleanStop(t *testing.T, c *Cluster, before string) {
	t.Helper()
	n, ok := c.backend.(*node)
	if !ok {
		t.Fatal("the cluster was not started here")
	}
	begin := time.Now()
	must(t, c.Stop())
	t.Logf("stop: %.1f s", time.Since(begin).Seconds())
	must(t, c.Stop())
	if left := findProcesses(func(pid int) bool { id, err := netnsOf(pid); return err == nil && id == n.Net }); len(left) > 0 {
		t.Errorf("processes left: %v", left)
	}
	if _, err := os.Stat(n.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s still exists: %v", n.Dir, err)
	}
	requireState(t, before)
}

func kubectl(t *testing.T, c *Cluster, args ...string) string {
	t.Helper()
	out, err := c.Kubectl(t.Context(), args...)
	must(t, err)
	return out
}

func httpGet(url string) string {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return string(body)
}

func eventually(t *testing.T, what string, ask func() string, want string) {
	t.Helper()
	begin, said := time.Now(), ""
	for time.Since(begin) < timeout {
		if said = ask(); strings.Contains(said, want) {
			return
		}
		time.Sleep(pollInterval)
	}
	t.Fatalf("waited %s for %s: %q", timeout, what, said)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
