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

// readyIn is the longest that a cluster may take to be ready, once it is built.
const readyIn = 2 * time.Minute

// ownFolders are what a cluster makes in its folder.
var ownFolders = []string{"pki", "config", "logs", "hidden", "containerd", "etcd", "kubectl"}

// Start starts a cluster and returns when its node is ready; the metrics follow some
// seconds later. There is one at a time on a machine: Start waits for the other's
// end, as long as the context allows. The error is ErrUnsupported when something is
// missing here. After an error nothing is left.
func Start(ctx context.Context, c Config) (*Cluster, error) {
	if err := supported(); err != nil {
		return nil, err
	}
	binary, err := Build(ctx, c)
	if err != nil {
		return nil, err
	}
	file, err := claim(ctx, c.Log)
	if err != nil {
		return nil, err
	}
	n := &node{binary: binary, out: c.Log, file: file, parts: map[string]*part{}}
	ctx, cancel := context.WithTimeout(ctx, readyIn)
	defer cancel()
	if err := n.start(ctx, c.Dir); err != nil {
		logs := n.logs()
		return nil, errors.Join(err, n.stop(), plainError(logs))
	}
	return n.cluster(), nil
}

// plainError is text that goes with an error; nil for none.
func plainError(text string) error {
	if text == "" {
		return nil
	}
	return errors.New(text)
}

// cluster is what the tests see of the node.
func (n *node) cluster() *Cluster {
	return &Cluster{
		Kubeconfig: n.path("pki", "admin.kubeconfig"), NodeIP: nodeIP, own: n, env: direct(),
		kubectl: []string{n.binary, "kubectl", "--cache-dir=" + n.path("kubectl")},
	}
}

func (n *node) start(ctx context.Context, dir string) error {
	begin := time.Now()
	if err := freeAddresses(); err != nil {
		return err
	}
	if err := n.furnish(dir); err != nil {
		return err
	}
	if err := n.move(); err != nil {
		return err
	}
	say(n.out, "%5.1fs the node's namespaces are made (%s)", time.Since(begin).Seconds(), n.Dir)
	if err := n.control(ctx); err != nil {
		return err
	}
	say(n.out, "%5.1fs the apiserver is ready", time.Since(begin).Seconds())
	if err := n.work(ctx); err != nil {
		return err
	}
	say(n.out, "%5.1fs the node is ready", time.Since(begin).Seconds())
	return nil
}

// furnish writes every file that the components read.
func (n *node) furnish(dir string) (err error) {
	if n.Temporary = dir == ""; n.Temporary {
		dir, err = os.MkdirTemp("", tempPrefix)
	} else {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return fmt.Errorf("make the cluster's folder: %w", err)
	}
	if err := mark(dir); err != nil {
		return err
	}
	n.Dir = dir
	if err := n.write(n.file); err != nil {
		return err
	}
	for _, name := range ownFolders {
		// What an earlier cluster left there is not ours to go on with.
		if err := errors.Join(os.RemoveAll(n.path(name)), os.MkdirAll(n.path(name), 0o755)); err != nil {
			return fmt.Errorf("make the cluster's folder: %w", err)
		}
	}
	if err := writePKI(n.path("pki")); err != nil {
		return err
	}
	if n.asks, err = newClient(n.path("pki")); err != nil {
		return err
	}
	if err := writeConfig(n.Dir); err != nil {
		return err
	}
	return writePauseImage(pausePath(n.binary), n.path("config", "pause.tar"))
}

// mark claims the folder for clusters. Folders with other things in them are refused:
// ours have plain names and are removed without asking.
func mark(dir string) error {
	marker := filepath.Join(dir, ".slipway-cluster")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return fmt.Errorf("make the cluster's folder: %w", err)
	}
	if _, err := os.Stat(marker); err != nil && len(entries) > 0 {
		return fmt.Errorf("start a cluster in %s: the folder has other things in it: name an empty or a new one", dir)
	}
	if err := os.WriteFile(marker, nil, 0o644); err != nil {
		return fmt.Errorf("mark the cluster's folder: %w", err)
	}
	return nil
}

// move makes the namespaces, the wire and the cgroup.
func (n *node) move() error {
	pairs, made, err := mounts(n.Dir, n.binary)
	n.Made = made
	if err := errors.Join(err, n.write(n.file)); err != nil {
		return err
	}
	if n.room, err = openRoom(pausePath(n.binary), pairs); err != nil {
		return err
	}
	n.Net = n.room.net
	if err := n.write(n.file); err != nil {
		return err
	}
	if err := makeCgroups(); err != nil {
		return err
	}
	return n.room.wire()
}

// control starts what the node needs, and the apiserver.
func (n *node) control(ctx context.Context) error {
	err := errors.Join(
		n.launch("containerd", "containerd", "--config", n.path("config", "containerd.toml")),
		n.launch("etcd", n.binary, etcdArgs(n.Dir)...),
		n.launch("kube-apiserver", n.binary, apiServerArgs(n.Dir)...),
	)
	if err != nil {
		return err
	}
	if err := n.importPause(ctx); err != nil {
		return err
	}
	return n.wait(ctx, "the apiserver", func(ctx context.Context) bool { return n.asks.ok(ctx, "/readyz") })
}

// work starts the rest, and waits until pods can be made and would run.
func (n *node) work(ctx context.Context) error {
	err := errors.Join(
		n.launch("kubelet", n.binary, kubeletArgs(n.Dir)...),
		n.launch("kube-controller-manager", n.binary, controllerManagerArgs(n.Dir)...),
		n.launch("kube-scheduler", n.binary, schedulerArgs(n.Dir)...),
		n.launch("kube-proxy", n.binary, proxyArgs(n.Dir)...),
		n.launch("metrics-server", n.binary, metricsArgs(n.Dir)...),
	)
	if err != nil {
		return err
	}
	if _, err := n.cluster().Kubectl(ctx, "apply", "-f", n.path("config", "metrics.yaml")); err != nil {
		return err
	}
	if err := n.wait(ctx, "the node", func(ctx context.Context) bool { return n.asks.nodeReady(ctx) }); err != nil {
		return err
	}
	return n.wait(ctx, "the default service account", func(ctx context.Context) bool {
		return n.asks.ok(ctx, "/api/v1/namespaces/default/serviceaccounts/default")
	})
}

// importPause gives containerd the pause image, as soon as it listens.
func (n *node) importPause(ctx context.Context) error {
	var trouble error
	err := n.wait(ctx, "containerd", func(context.Context) bool {
		if _, err := os.Stat(n.path("hidden", socket)); err != nil {
			trouble = err
			return false
		}
		out, err := n.room.inside("ctr", "--address", socket, "--namespace", "k8s.io", "images", "import", n.path("config", "pause.tar")).CombinedOutput()
		if err != nil {
			trouble = fmt.Errorf("import the pause image: %w: %s", err, out)
		}
		return err == nil
	})
	if err != nil {
		return errors.Join(err, trouble)
	}
	return nil
}
