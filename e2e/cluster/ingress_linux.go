package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/e2e/prebuild"
)

// Ingress is a running ingress controller, Traefik. It serves the Ingresses of its
// class, and the HTTPRoutes of Gateways of its class.
type Ingress struct {
	IP    string // it listens on port 80
	Class string // name of its IngressClass and of its GatewayClass

	cluster   *Cluster
	namespace string
	cmd       *exec.Cmd
	exited    chan struct{}
	logPath   string
}

// ingressTimeout is how long the controller may take until it serves.
const ingressTimeout = time.Minute

// StartIngress starts an ingress controller at an address of its own in the cluster's
// network, so that several can run in one cluster. It follows the objects of one
// namespace: those of other tests, which change all the time, would delay it. The definitions of the Gateway API
// are installed with it, and stay. The error wraps ErrUnsupported if the cluster's
// network is not on this machine.
func (c *Cluster) StartIngress(ctx context.Context, namespace string, config Config) (_ *Ingress, err error) {
	if c.backend == nil && c.networkPID == "" {
		return nil, fmt.Errorf("start an ingress controller: the cluster's network is unknown here: %w", ErrUnsupported)
	}
	binary, err := BuildIngress(ctx, config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, ingressTimeout)
	defer cancel()
	i := &Ingress{cluster: c, namespace: namespace, exited: make(chan struct{})}
	if err := i.takeAddress(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, textError(i.Logs()), i.Stop())
		}
	}()
	if _, err := c.Kubectl(ctx, "apply", "--server-side", "-f", definitionsPath(binary)); err != nil {
		return nil, fmt.Errorf("install the Gateway API: %w", err)
	}
	if _, err := c.KubectlInput(ctx, strings.ReplaceAll(classes, "CLASS", i.Class), "apply", "-f", "-"); err != nil {
		return nil, fmt.Errorf("install the controller's classes: %w", err)
	}
	if err := i.start(binary); err != nil {
		return nil, err
	}
	return i, i.waitReady(ctx)
}

// BuildIngress builds Traefik next to the Kubernetes binary, with the definitions of
// the Gateway API that it was built for, and returns its path.
func BuildIngress(ctx context.Context, c Config) (string, error) {
	module, err := prebuild.ModuleDir("e2e/cluster/ingress")
	if err != nil {
		binary := filepath.Join(filepath.Dir(c.Binary), "traefik")
		return findPrebuilt(err, binary, definitionsPath(binary))
	}
	kubernetes, err := c.binaryPath(module)
	if err != nil {
		return "", err
	}
	binary := filepath.Join(filepath.Dir(kubernetes), "traefik")
	p := program{
		path: binary, module: module, pkg: "github.com/traefik/traefik/v3/cmd/traefik", flags: "-s -w",
		also: []string{"ext/*.go", "acme/*/*.go", "acme/*/*/*.go", "aws/*/*.go", "aws/*/*/*.go", "github/*/*.go", "yaegi/*/*.go", "yaegi/*/*/*.go"},
	}
	if err := buildAll(ctx, binary+".lock", c, p); err != nil {
		return "", err
	}
	return binary, writeDefinitions(ctx, module, definitionsPath(binary))
}

// definitionsPath returns the path of the Gateway API's definitions, next to Traefik.
func definitionsPath(binary string) string { return binary + "-gateway-api.yaml" }

// writeDefinitions writes the CustomResourceDefinitions of the module's Gateway API
// into one file.
func writeDefinitions(ctx context.Context, module, path string) error {
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api")
	list.Dir, list.Env = module, append(os.Environ(), "GOWORK=off")
	dir, err := list.Output()
	if err != nil {
		return fmt.Errorf("find the Gateway API's module: %w", err)
	}
	found, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "config", "crd", "standard", "gateway.networking.k8s.io_*s.yaml"))
	if err != nil || len(found) == 0 {
		return fmt.Errorf("find the Gateway API's definitions in %s: %w", dir, errors.Join(err, os.ErrNotExist))
	}
	var all strings.Builder
	for _, name := range found {
		if strings.Contains(name, "_vap_") {
			continue // a policy against older definitions
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("read the Gateway API's definitions: %w", err)
		}
		fmt.Fprintf(&all, "---\n%s\n", content)
	}
	if err := os.WriteFile(path, []byte(all.String()), 0o644); err != nil {
		return fmt.Errorf("write the Gateway API's definitions: %w", err)
	}
	return nil
}

// classes are the controller's classes. The label is how one of several controllers
// knows its own GatewayClass: all have the same controller's name.
const classes = `apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: CLASS}
spec: {controller: traefik.io/ingress-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: CLASS, labels: {slipway.dev/class: CLASS}}
spec: {controllerName: traefik.io/gateway-controller}
`

// takeAddress adds a free address to the node's interface. One that a killed test
// has left behind is not free; there are enough.
func (i *Ingress) takeAddress(ctx context.Context) error {
	var out []byte
	for n := 10; n < 250; n++ {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("add an address for the ingress controller: %w", err)
		}
		ip := strings.TrimSuffix(nodeIP, "2") + fmt.Sprint(n)
		var err error
		if out, err = i.cluster.Command("ip", "addr", "add", ip+"/32", "dev", "eth0").CombinedOutput(); err == nil {
			i.IP, i.Class = ip, fmt.Sprintf("traefik-%d", n)
			return nil
		}
	}
	return fmt.Errorf("add an address for the ingress controller: %s", strings.TrimSpace(string(out)))
}

// args are Traefik's flags. How often it takes over changes (every 2 s at most) stays
// as it is by default: what users have is what is tested.
func (i *Ingress) args() []string {
	return []string{
		"--global.checknewversion=false", "--global.sendanonymoususage=false", "--log.level=INFO", "--log.nocolor=true",
		"--entrypoints.web.address=" + i.IP + ":80", "--entrypoints.admin.address=" + i.IP + ":9000", "--ping.entrypoint=admin",
		"--entrypoints.web.asdefault=true",
		"--providers.kubernetesingress=true", "--providers.kubernetesingress.namespaces=" + i.namespace,
		"--providers.kubernetesingress.ingressclass=" + i.Class,
		"--providers.kubernetesingress.ingressendpoint.ip=" + i.IP,
		"--providers.kubernetesgateway=true", "--providers.kubernetesgateway.namespaces=" + i.namespace,
		"--providers.kubernetesgateway.labelselector=slipway.dev/class=" + i.Class,
		"--providers.kubernetesgateway.statusaddress.ip=" + i.IP,
	}
}

func (i *Ingress) start(binary string) error {
	out, err := os.CreateTemp("", "slipway-traefik-*.log")
	if err != nil {
		return fmt.Errorf("start traefik: %w", err)
	}
	defer out.Close()
	i.logPath = out.Name()
	cmd := i.cluster.Command(binary, i.args()...)
	cmd.Stdout, cmd.Stderr, cmd.Env = out, out, append(environment(), "KUBECONFIG="+i.cluster.Kubeconfig)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start traefik: %w", err)
	}
	i.cmd = cmd
	go func() { _ = cmd.Wait(); close(i.exited) }()
	return nil
}

// waitReady waits until the controller listens and has accepted its GatewayClass.
func (i *Ingress) waitReady(ctx context.Context) error {
	client := &http.Client{Timeout: time.Second}
	for {
		if resp, err := client.Get("http://" + net.JoinHostPort(i.IP, "9000") + "/ping"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				break
			}
		}
		select {
		case <-i.exited:
			return errors.New("wait for traefik: it has ended")
		case <-ctx.Done():
			return fmt.Errorf("wait for traefik: %w", ctx.Err())
		case <-time.After(pollInterval):
		}
	}
	if _, err := i.cluster.Kubectl(ctx, "wait", "--for=condition=Accepted", "--timeout=30s", "gatewayclass/"+i.Class); err != nil {
		return fmt.Errorf("wait for traefik's class: %w", err)
	}
	return nil
}

// Logs returns the end of the controller's log.
func (i *Ingress) Logs() string { return tailOf(i.logPath, "traefik.log", 20) }

// Stop ends the controller, and removes its classes and its address.
func (i *Ingress) Stop() error {
	if i.cmd != nil {
		_ = i.cmd.Process.Kill()
		<-i.exited
	}
	ctx, cancel := context.WithTimeout(context.Background(), ingressTimeout)
	defer cancel()
	_, err := i.cluster.KubectlInput(ctx, strings.ReplaceAll(classes, "CLASS", i.Class), "delete", "--ignore-not-found", "--wait=false", "-f", "-")
	out, addrErr := i.cluster.Command("ip", "addr", "del", i.IP+"/32", "dev", "eth0").CombinedOutput()
	if addrErr != nil {
		addrErr = fmt.Errorf("remove the ingress controller's address: %w: %s", addrErr, out)
	}
	if i.logPath != "" {
		err = errors.Join(err, os.Remove(i.logPath))
	}
	if err = errors.Join(err, addrErr); err != nil {
		return fmt.Errorf("stop the ingress controller: %w", err)
	}
	return nil
}
