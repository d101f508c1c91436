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

// patience is how long the cluster may take for one thing on a busy machine.
const patience = 2 * time.Minute

// TestCluster uses everything that the other tests build on.
func TestCluster(t *testing.T) {
	before := machineState(t)
	c := started(t)
	image := pushed(t, c)
	manifest, err := os.ReadFile("testdata/hello.yaml")
	must(t, err)
	begin := time.Now()
	_, err = c.KubectlInput(t.Context(), strings.ReplaceAll(string(manifest), "IMAGE", image), "apply", "-f", "-")
	must(t, err)
	kubectl(t, c, "rollout", "status", "deployment/hello", "--timeout=2m")
	t.Logf("apply to Available, 2 replicas: %.1f s", time.Since(begin).Seconds())

	for _, url := range []string{"http://" + c.NodeIP + ":30080/", "http://" + kubectl(t, c, "get", "service", "hello", "-o", "jsonpath={.spec.clusterIP}") + "/"} {
		eventually(t, url+" to answer", func() string { return get(url) }, "hello from hello-")
	}
	pod := kubectl(t, c, "get", "pod", "-l", "app=hello", "-o", "jsonpath={.items[0].status.podIP}")
	eventually(t, "the pod to answer", func() string { return get("http://" + pod + ":8080/") }, "hello from hello-")
	if logs := kubectl(t, c, "logs", "deployment/hello"); !strings.Contains(logs, "hello starts") {
		t.Errorf("the pod's log is %q", logs)
	}

	if warnings := kubectl(t, c, "get", "events", "--field-selector=type=Warning,involvedObject.kind=Pod", "-o", "jsonpath={.items[*].reason}"); strings.TrimSpace(strings.ReplaceAll(warnings, "Unhealthy", "")) != "" {
		t.Errorf("the cluster warns of its pods: %s", warnings) // a first probe may come too early
	}

	must(t, c.StopAPIServer(t.Context()))
	if _, err := c.Kubectl(t.Context(), "get", "nodes", "--request-timeout=2s"); err == nil {
		t.Error("the stopped apiserver answers")
	}
	if said := get("http://" + c.NodeIP + ":30080/"); !strings.HasPrefix(said, "hello from ") {
		t.Errorf("without an apiserver the NodePort says %q", said)
	}
	begin = time.Now()
	must(t, c.StartAPIServer(t.Context()))
	t.Logf("start of the apiserver: %.1f s", time.Since(begin).Seconds())
	must(t, c.RestartAPIServer(t.Context()))
	kubectl(t, c, "get", "deployment", "hello")

	metric := "jsonpath={.status.currentMetrics[0].resource.current.averageUtilization}%"
	eventually(t, "the autoscaler to read its metric", func() string {
		said, _ := c.Kubectl(t.Context(), "get", "hpa", "hello", "-o", metric)
		return strings.TrimPrefix(said, "%")
	}, "%")
	if top := kubectl(t, c, "top", "pods"); !strings.Contains(top, "hello-") {
		t.Errorf("kubectl top says %q", top)
	}
	t.Logf("memory of everything: %d MB", memory(c)>>10)
	stops(t, c, before)
}

// TestKilled: a killed test's cluster dies with it, and the next one clears up.
func TestKilled(t *testing.T) {
	before := machineState(t)
	if err := supported(); err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), helper+"=cluster"), os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	said := bufio.NewScanner(out)
	if !said.Scan() || said.Text() != "ready" {
		t.Fatalf("the cluster said %q: %v", said.Text(), cmd.Wait())
	}
	var net nsID
	if left := processes(func(pid int) bool { return parent(pid) == cmd.Process.Pid }); len(left) > 0 {
		net, err = netns(left[0])
		must(t, err)
	}
	inside := func() []int {
		return processes(func(pid int) bool { id, err := netns(pid); return err == nil && id == net })
	}
	if len(inside()) < 8 {
		t.Fatalf("only the processes %v are in the cluster", inside())
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	eventually(t, "the processes to die", func() string { return fmt.Sprint(inside()) }, "[]")
	eventually(t, "the link to go", func() string { return fmt.Sprint(wired()) }, "false")
	f, err := claim(t.Context(), io.Discard)
	must(t, err)
	must(t, f.Close())
	same(t, before)
}

// TestForeignFolder: a folder with somebody's things in it is refused, and they stay.
func TestForeignFolder(t *testing.T) {
	if err := supported(); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	theirs := filepath.Join(dir, "config")
	must(t, os.WriteFile(theirs, []byte("theirs"), 0o644))
	c, err := Start(t.Context(), Config{Dir: dir})
	if err == nil {
		_ = c.Stop()
	}
	if err == nil || !strings.Contains(err.Error(), "other things") {
		t.Errorf("the folder is taken: %v", err)
	}
	if content, err := os.ReadFile(theirs); string(content) != "theirs" {
		t.Errorf("the file is %q: %v", content, err)
	}
}

// TestExisting: somebody's own cluster is used, never stopped.
func TestExisting(t *testing.T) {
	c := Existing("/nowhere/config")
	if err := c.RestartAPIServer(t.Context()); !errors.Is(err, ErrUnsupported) {
		t.Errorf("restart: %v", err)
	}
	if cmd := c.Command("echo", "a"); strings.Join(cmd.Args, " ") != "echo a" {
		t.Errorf("the command is %s", cmd)
	}
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
}

// TestGivenUp: a start that is given up half way leaves nothing.
func TestGivenUp(t *testing.T) {
	before := machineState(t)
	if err := supported(); err != nil {
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
			t.Errorf("after %s: %v", after, err)
		}
		same(t, before)
	}
}

func started(t *testing.T) *Cluster {
	t.Helper()
	if err := supported(); err != nil {
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

// pushed builds hello and serves it from a registry in the cluster's network.
func pushed(t *testing.T, c *Cluster) (image string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "hello")
	build := exec.Command("go", "build", "-trimpath", "-o", program, "./testdata/hello")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build hello: %v: %s", err, out)
	}
	cmd := c.Command(os.Args[0], program)
	cmd.Env, cmd.Stderr = append(os.Environ(), helper+"=registry"), os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	said := bufio.NewScanner(out)
	if !said.Scan() {
		t.Fatal("the registry says nothing")
	}
	return said.Text()
}

// stops stops the cluster and compares the machine with what it was.
func stops(t *testing.T, c *Cluster, before string) {
	t.Helper()
	n, ok := c.own.(*node)
	if !ok {
		t.Fatal("the cluster is not ours")
	}
	begin := time.Now()
	must(t, c.Stop())
	t.Logf("stop: %.1f s", time.Since(begin).Seconds())
	must(t, c.Stop())
	if left := processes(func(pid int) bool { id, err := netns(pid); return err == nil && id == n.Net }); len(left) > 0 {
		t.Errorf("the processes %v are left", left)
	}
	if _, err := os.Stat(n.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", n.Dir, err)
	}
	same(t, before)
}

func kubectl(t *testing.T, c *Cluster, args ...string) string {
	t.Helper()
	out, err := c.Kubectl(t.Context(), args...)
	must(t, err)
	return out
}

func get(url string) string {
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
	for time.Since(begin) < patience {
		if said = ask(); strings.Contains(said, want) {
			return
		}
		time.Sleep(poll)
	}
	t.Fatalf("waited %s for %s: %q", patience, what, said)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
