// Package cluster gives the tests a real Kubernetes: etcd, the control plane, one
// node and a metrics server, with Debian's containerd and runc, all inside
// namespaces of its own on this machine. It needs Linux, root and a few packages;
// nothing is downloaded but Go modules. Existing takes somebody's own cluster
// instead.
//
// There is no DNS in the cluster, and no way from it to the internet. Pods pull
// from a registry that listens on 127.0.0.1 inside the cluster's network namespace
// (see Command), over plain HTTP.
package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// ErrUnsupported marks what this machine or this cluster can't do: no root, a
// package that is missing, an apiserver that is not ours to stop.
var ErrUnsupported = errors.New("not supported here")

// builtinNodeIP is the node's address in a cluster of ours.
const builtinNodeIP = "10.200.0.2"

// Config says where a cluster keeps its things. The zero value is good.
type Config struct {
	Dir    string    // all state; a temporary folder by default, gone after Stop
	Binary string    // the Kubernetes binary; bin/kubernetes of the repository by default, built when need be
	Log    io.Writer // one line for each thing that is done; nil for silence
}

// Cluster is a running Kubernetes. Its methods may be called concurrently.
type Cluster struct {
	Kubeconfig string // path of a file for an administrator, with everything embedded
	NodeIP     string // where NodePorts answer; empty when the cluster is somebody's own

	backend    backend  // nil when the cluster is somebody's own
	networkPID string   // a process in the cluster's network; empty: this one's is
	kubectl    []string // the command
	env        []string // of kubectl
}

// backend is what only a cluster of ours has.
type backend interface {
	command(name string, args ...string) *exec.Cmd
	stopAPIServer() error
	startAPIServer(ctx context.Context) error
	logs() string
	stop() error
}

// NetworkEnv names the process in whose network Command works beside an
// existing cluster: `cluster up` prints it, for one that tests use again and again.
const NetworkEnv = "SLIPWAY_CLUSTER_NETWORK"

// Existing is a cluster that somebody else started (kind, k3d, minikube, or
// `cluster up`). It wants kubectl on the PATH.
func Existing(kubeconfig string) *Cluster {
	c := &Cluster{Kubeconfig: kubeconfig, kubectl: []string{"kubectl"}, env: os.Environ(), networkPID: os.Getenv(NetworkEnv)}
	if c.networkPID != "" {
		c.NodeIP = builtinNodeIP
	}
	return c
}

// Kubectl runs kubectl as the administrator and returns what it printed. The error
// holds what it complained about.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) (string, error) {
	return c.KubectlInput(ctx, "", args...)
}

// KubectlInput is Kubectl with something to read, as for `apply -f -`.
func (c *Cluster) KubectlInput(ctx context.Context, stdin string, args ...string) (string, error) {
	words := append(append([]string(nil), c.kubectl[1:]...), "--kubeconfig="+c.Kubeconfig)
	cmd := exec.CommandContext(ctx, c.kubectl[0], append(words, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = strings.NewReader(stdin), &stdout, &stderr, c.env
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // says more than how it was killed
		}
		return stdout.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// Command is a command in the cluster's network namespace (the node's 127.0.0.1 is
// its own); files and processes are those of this machine. It dies with the process
// that started it and with Stop. Beside somebody's own cluster it is a plain command.
func (c *Cluster) Command(name string, args ...string) *exec.Cmd {
	if c.backend == nil && c.networkPID == "" {
		return exec.Command(name, args...)
	}
	if c.backend == nil {
		return exec.Command("nsenter", append([]string{"--target", c.networkPID, "--net", "--", name}, args...)...)
	}
	return c.backend.command(name, args...)
}

// RestartAPIServer kills the apiserver (SIGKILL), starts it again, and returns when
// it is ready.
func (c *Cluster) RestartAPIServer(ctx context.Context) error {
	if err := c.StopAPIServer(ctx); err != nil {
		return err
	}
	return c.StartAPIServer(ctx)
}

// StopAPIServer kills the apiserver (SIGKILL). To stop a stopped one is no error.
func (c *Cluster) StopAPIServer(context.Context) error {
	if c.backend == nil {
		return unsupported("stop the apiserver")
	}
	return c.backend.stopAPIServer()
}

// StartAPIServer starts the apiserver after StopAPIServer, and returns when it is
// ready.
func (c *Cluster) StartAPIServer(ctx context.Context) error {
	if c.backend == nil {
		return unsupported("start the apiserver")
	}
	return c.backend.startAPIServer(ctx)
}

// Logs is the end of each component's log, for a post-mortem.
func (c *Cluster) Logs() string {
	if c.backend == nil {
		return ""
	}
	return c.backend.logs()
}

// Stop ends the cluster with everything that runs in it and puts the machine back
// as it was. More calls return what the first one returned. Somebody's own cluster
// is left alone.
func (c *Cluster) Stop() error {
	if c.backend == nil {
		return nil
	}
	return c.backend.stop()
}

func unsupported(act string) error {
	return fmt.Errorf("%s: the cluster is somebody's own: %w", act, ErrUnsupported)
}
