// Package cluster provides a real Kubernetes for tests: etcd, the control plane, one
// node and a metrics server, with Debian's containerd and runc, all inside private
// namespaces on this machine. It requires Linux, root and a few packages, and
// downloads nothing but Go modules. Existing uses an existing cluster instead.
//
// The cluster has neither DNS nor access to the internet. Pods pull images from a
// registry that listens on 127.0.0.1 inside the cluster's network namespace (see
// Command), over plain HTTP.
package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrUnsupported marks what this machine or cluster does not support: no root, a
// missing package, an API server that was not started here.
var ErrUnsupported = errors.New("not supported here")

// builtinNodeIP is the node's address in a cluster started by Start.
const builtinNodeIP = "10.200.0.2"

// HostIP is this machine's address for what runs in a cluster that has a NodeIP.
const HostIP = "10.200.0.1"

// Config configures a cluster. The zero value is valid.
type Config struct {
	Dir     string    // all state; by default a temporary folder, removed by Stop
	Binary  string    // the Kubernetes binary; by default the repository's bin/kubernetes, built if necessary
	Version string    // 1.36, 1.34 or 1.31; by default that of VersionEnv, or else the newest
	Log     io.Writer // one line per action; nil discards them
}

// Cluster is a running Kubernetes cluster. It is safe for concurrent use.
type Cluster struct {
	Kubeconfig string // path of a self-contained administrator's kubeconfig
	NodeIP     string // address of NodePorts; empty for an existing cluster

	backend    backend  // nil for an existing cluster
	networkPID string   // a process in the cluster's network namespace; empty: the current one
	kubectl    []string // command line
	env        []string // of kubectl
}

// backend is what only a cluster started by Start supports.
type backend interface {
	command(name string, args ...string) *exec.Cmd
	stopAPIServer() error
	startAPIServer(ctx context.Context) error
	logs() string
	kubectlDir() string
	stop() error
}

// NetworkEnv is the environment variable with the ID of a process in the network
// namespace of an existing cluster, for Command. `cluster up` prints it, for a
// cluster that is reused by several test runs.
const NetworkEnv = "SLIPWAY_CLUSTER_NETWORK"

// VersionEnv is the environment variable with the version of Kubernetes that Start
// runs, for a Config without one.
const VersionEnv = "SLIPWAY_CLUSTER_VERSION"

// Existing returns a cluster that was started elsewhere (kind, k3d, minikube, or
// `cluster up`). It requires kubectl in PATH.
func Existing(kubeconfig string) *Cluster {
	c := &Cluster{Kubeconfig: kubeconfig, kubectl: []string{"kubectl"}, env: os.Environ(), networkPID: os.Getenv(NetworkEnv)}
	if c.networkPID != "" {
		c.NodeIP = builtinNodeIP
	}
	return c
}

// Kubectl runs kubectl as the administrator and returns its stdout. Errors include
// its stderr.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) (string, error) {
	return c.KubectlInput(ctx, "", args...)
}

// KubectlInput is Kubectl with stdin, as for `apply -f -`.
func (c *Cluster) KubectlInput(ctx context.Context, stdin string, args ...string) (string, error) {
	words := append(append([]string(nil), c.kubectl[1:]...), "--kubeconfig="+c.Kubeconfig)
	cmd := exec.CommandContext(ctx, c.kubectl[0], append(words, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = strings.NewReader(stdin), &stdout, &stderr, c.env
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // more informative than "signal: killed"
		}
		if errors.Is(err, exec.ErrNotFound) {
			err = fmt.Errorf("%w (the output of `cluster up` puts one into PATH)", err)
		}
		return stdout.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// KubectlDir returns the folder of a kubectl for PATH, of the administrator of a
// cluster started by Start. It is empty for an existing cluster.
func (c *Cluster) KubectlDir() string {
	if c.backend == nil {
		return ""
	}
	return c.backend.kubectlDir()
}

// Command returns a command that runs in the cluster's network namespace (with the
// node's 127.0.0.1) and otherwise on this machine. It is killed when the process that
// started it exits, and by Stop. For an existing cluster, it is a plain command.
func (c *Cluster) Command(name string, args ...string) *exec.Cmd {
	if c.backend == nil && c.networkPID == "" {
		return exec.Command(name, args...)
	}
	if c.backend == nil {
		return exec.Command("nsenter", append([]string{"--target", c.networkPID, "--net", "--", name}, args...)...)
	}
	return c.backend.command(name, args...)
}

// Redirect makes the node pull images of the registry at host from another address, over
// plain HTTP, from now on. It is for clusters that Start or `cluster up` started.
func (c *Cluster) Redirect(host, address string) error {
	if c.NodeIP == "" {
		return unsupported("redirect a registry")
	}
	dir := filepath.Join(filepath.Dir(filepath.Dir(c.Kubeconfig)), "config", "certs.d", host)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text := fmt.Sprintf("server = \"http://%[1]s\"\n[host.\"http://%[1]s\"]\n  capabilities = [\"pull\", \"resolve\"]\n", address)
	return os.WriteFile(filepath.Join(dir, "hosts.toml"), []byte(text), 0o644)
}

// RestartAPIServer kills the API server with SIGKILL, starts it again, and returns
// once it is ready.
func (c *Cluster) RestartAPIServer(ctx context.Context) error {
	if err := c.StopAPIServer(ctx); err != nil {
		return err
	}
	return c.StartAPIServer(ctx)
}

// StopAPIServer kills the API server with SIGKILL. Stopping a stopped one is not an
// error.
func (c *Cluster) StopAPIServer(context.Context) error {
	if c.backend == nil {
		return unsupported("stop the apiserver")
	}
	return c.backend.stopAPIServer()
}

// StartAPIServer starts the API server after StopAPIServer, and returns once it is
// ready.
func (c *Cluster) StartAPIServer(ctx context.Context) error {
	if c.backend == nil {
		return unsupported("start the apiserver")
	}
	return c.backend.startAPIServer(ctx)
}

// Logs returns the end of each component's log, for diagnostics.
func (c *Cluster) Logs() string {
	if c.backend == nil {
		return ""
	}
	return c.backend.logs()
}

// Stop ends the cluster with all its processes and restores the machine's state.
// Further calls return the first result. An existing cluster is left alone.
func (c *Cluster) Stop() error {
	if c.backend == nil {
		return nil
	}
	return c.backend.stop()
}

func unsupported(act string) error {
	return fmt.Errorf("%s: the cluster was not started here: %w", act, ErrUnsupported)
}
