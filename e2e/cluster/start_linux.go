package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// startTimeout is the maximum time until a cluster is ready, once it is built.
const startTimeout = 2 * time.Minute

// stateDirs are the subfolders of a cluster's folder.
var stateDirs = []string{"pki", "config", "logs", "hidden", "containerd", "etcd", "kubectl", "bin"}

// Start starts a cluster and returns when its node is ready; metrics follow some
// seconds later. Only one runs at a time on a machine: Start waits for the other one
// to stop, until the context is done. The error wraps ErrUnsupported if this machine
// lacks something. Nothing is left behind after an error.
func Start(ctx context.Context, c Config) (*Cluster, error) {
	if err := checkRequirements(); err != nil {
		return nil, err
	}
	binary, err := Build(ctx, c)
	if err != nil {
		return nil, err
	}
	file, err := acquire(ctx, c.Log)
	if err != nil {
		return nil, err
	}
	_, version, err := c.sourceOf()
	if err != nil {
		return nil, err
	}
	n := &node{
		leftovers: leftovers{Holder: thisProcess()}, binary: binary, kubernetes: componentsPath(binary, version),
		log: c.Log, lock: file, components: map[string]*component{},
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := n.start(ctx, c.Dir); err != nil {
		logs := n.logs()
		return nil, errors.Join(err, n.stop(), textError(logs))
	}
	return n.cluster(), nil
}

// textError returns an error with the text, or nil if it is empty.
func textError(text string) error {
	if text == "" {
		return nil
	}
	return errors.New(text)
}

// cluster returns the node as the tests see it.
func (n *node) cluster() *Cluster {
	return &Cluster{
		Kubeconfig: n.path("pki", "admin.kubeconfig"), NodeIP: nodeIP, backend: n, env: environment(),
		kubectl: []string{n.binary, "kubectl", "--cache-dir=" + n.path("kubectl")},
	}
}

func (n *node) start(ctx context.Context, dir string) error {
	started := time.Now()
	if err := n.save(n.lock); err != nil {
		return err
	}
	if err := checkAddressesFree(); err != nil {
		return err
	}
	if err := n.writeFiles(dir); err != nil {
		return err
	}
	if err := n.createNamespaces(); err != nil {
		return err
	}
	logf(n.log, "%5.1fs the node's namespaces exist (%s)", time.Since(started).Seconds(), n.Dir)
	if err := n.startControlPlane(ctx); err != nil {
		return err
	}
	logf(n.log, "%5.1fs the apiserver is ready", time.Since(started).Seconds())
	if err := n.startNode(ctx); err != nil {
		return err
	}
	logf(n.log, "%5.1fs the node is ready; kubectl: %s", time.Since(started).Seconds(), n.path("bin", "kubectl"))
	return nil
}

// writeFiles writes all files that the components read.
func (n *node) writeFiles(dir string) (err error) {
	if n.Temporary = dir == ""; n.Temporary {
		dir, err = os.MkdirTemp("", tempPrefix)
	} else {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return fmt.Errorf("create the cluster's folder: %w", err)
	}
	if err := claimDir(dir); err != nil {
		return err
	}
	n.Dir = dir
	if err := n.save(n.lock); err != nil {
		return err
	}
	for _, name := range stateDirs {
		// Never reuse the state of an earlier cluster.
		if err := errors.Join(os.RemoveAll(n.path(name)), os.MkdirAll(n.path(name), 0o755)); err != nil {
			return fmt.Errorf("create the cluster's folder: %w", err)
		}
	}
	if err := writePKI(n.path("pki")); err != nil {
		return err
	}
	if n.api, err = newClient(n.path("pki")); err != nil {
		return err
	}
	if err := writeConfig(n.Dir); err != nil {
		return err
	}
	if err := n.writeKubectl(); err != nil {
		return err
	}
	return writePauseImage(pausePath(n.binary), n.path("config", "pause.tar"))
}

// writeKubectl writes a kubectl for people: it is a command of the Kubernetes binary,
// and without a kubeconfig it is the administrator of this cluster.
func (n *node) writeKubectl() error {
	script := fmt.Sprintf("#!/bin/sh\nexport KUBECONFIG=\"${KUBECONFIG:-%s}\"\nexec %q kubectl --cache-dir=%q \"$@\"\n",
		n.path("pki", "admin.kubeconfig"), n.binary, n.path("kubectl"))
	if err := os.WriteFile(n.path("bin", "kubectl"), []byte(script), 0o755); err != nil {
		return fmt.Errorf("write a kubectl: %w", err)
	}
	return nil
}

// claimDir marks the folder as a cluster's. Other folders with content are refused:
// the cluster's subfolders have plain names and are removed without asking.
func claimDir(dir string) error {
	markerPath := filepath.Join(dir, ".slipway-cluster")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return fmt.Errorf("create the cluster's folder: %w", err)
	}
	if _, err := os.Stat(markerPath); err != nil && len(entries) > 0 {
		return fmt.Errorf("start a cluster in %s: the folder is not empty: use a new or empty one", dir)
	}
	if err := os.WriteFile(markerPath, nil, 0o644); err != nil {
		return fmt.Errorf("mark the cluster's folder: %w", err)
	}
	return nil
}

// createNamespaces creates the namespaces, the network and the cgroup.
func (n *node) createNamespaces() error {
	pairs, made, err := prepareMounts(n.Dir, n.binary, n.kubernetes)
	n.Made = made
	if err := errors.Join(err, n.save(n.lock)); err != nil {
		return err
	}
	if n.ns, err = openNamespaces(pausePath(n.binary), pairs); err != nil {
		return err
	}
	n.Net, n.Holder.Network = n.ns.id, n.ns.init.Process.Pid
	if err := n.save(n.lock); err != nil {
		return err
	}
	if err := makeCgroups(); err != nil {
		return err
	}
	return n.ns.connect()
}

// startControlPlane starts what the node depends on, and the API server.
func (n *node) startControlPlane(ctx context.Context) error {
	err := errors.Join(
		n.startComponent("containerd", "containerd", "--config", n.path("config", "containerd.toml")),
		n.startComponent("etcd", n.binary, etcdArgs(n.Dir)...),
		n.startComponent("kube-apiserver", n.kubernetes, apiServerArgs(n.Dir)...),
	)
	if err != nil {
		return err
	}
	if err := n.importPause(ctx); err != nil {
		return err
	}
	return n.waitFor(ctx, "the apiserver", func(ctx context.Context) bool { return n.api.ok(ctx, "/readyz") })
}

// startNode starts the other components, and waits until pods can be created and
// would run.
func (n *node) startNode(ctx context.Context) error {
	err := errors.Join(
		n.startComponent("kubelet", n.kubernetes, kubeletArgs(n.Dir)...),
		n.startComponent("kube-controller-manager", n.kubernetes, controllerManagerArgs(n.Dir)...),
		n.startComponent("kube-scheduler", n.kubernetes, schedulerArgs(n.Dir)...),
		n.startComponent("kube-proxy", n.kubernetes, proxyArgs(n.Dir)...),
		n.startComponent("metrics-server", n.binary, metricsArgs(n.Dir)...),
	)
	if err != nil {
		return err
	}
	if _, err := n.cluster().Kubectl(ctx, "apply", "-f", n.path("config", "metrics.yaml")); err != nil {
		return err
	}
	if err := n.waitFor(ctx, "the node", func(ctx context.Context) bool { return n.api.nodeReady(ctx) }); err != nil {
		return err
	}
	return n.waitFor(ctx, "the default service account", func(ctx context.Context) bool {
		return n.api.ok(ctx, "/api/v1/namespaces/default/serviceaccounts/default")
	})
}

// importPause imports the pause image as soon as containerd listens.
func (n *node) importPause(ctx context.Context) error {
	var lastErr error
	err := n.waitFor(ctx, "containerd", func(context.Context) bool {
		if _, err := os.Stat(n.path("hidden", containerdSocket)); err != nil {
			lastErr = err
			return false
		}
		out, err := n.ns.command("ctr", "--address", containerdSocket, "--namespace", "k8s.io", "images", "import", n.path("config", "pause.tar")).CombinedOutput()
		if err != nil {
			lastErr = fmt.Errorf("import the pause image: %w: %s", err, out)
		}
		return err == nil
	})
	if err != nil {
		return errors.Join(err, lastErr)
	}
	return nil
}
