package cluster

import "path/filepath"

// Addresses are the same in every cluster: only one runs at a time.
const (
	nodeName         = "node1"
	nodeIP           = builtinNodeIP
	nodeNet          = "10.200.0.0/24"
	podNet           = "10.244.0.0/24"
	serviceNet       = "10.96.0.0/16"
	apiServiceIP     = "10.96.0.1"
	apiServer        = "https://" + nodeIP + ":6443"
	containerdSocket = "/run/containerd/containerd.sock" // inside the namespaces only
)

func etcdArgs(dir string) []string {
	return []string{
		"etcd", "--data-dir=" + filepath.Join(dir, "etcd"), "--log-level=warn", "--unsafe-no-fsync=true",
		"--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
		"--listen-peer-urls=http://127.0.0.1:2380",
	}
}

func apiServerArgs(dir string) []string {
	pki := filepath.Join(dir, "pki") + "/"
	return []string{
		"kube-apiserver", "--etcd-servers=http://127.0.0.1:2379",
		"--advertise-address=" + nodeIP, "--bind-address=" + nodeIP, "--secure-port=6443", "--profiling=false",
		"--service-cluster-ip-range=" + serviceNet, "--service-node-port-range=30000-32767",
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--client-ca-file=" + pki + "ca.crt", "--tls-cert-file=" + pki + "apiserver.crt", "--tls-private-key-file=" + pki + "apiserver.key",
		"--kubelet-client-certificate=" + pki + "apiserver-kubelet-client.crt", "--kubelet-client-key=" + pki + "apiserver-kubelet-client.key",
		"--kubelet-certificate-authority=" + pki + "ca.crt", "--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + pki + "sa.pub", "--service-account-signing-key-file=" + pki + "sa.key",
		"--requestheader-client-ca-file=" + pki + "front-proxy-ca.crt", "--requestheader-allowed-names=front-proxy-client",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-group-headers=X-Remote-Group", "--requestheader-username-headers=X-Remote-User",
		"--proxy-client-cert-file=" + pki + "front-proxy-client.crt", "--proxy-client-key-file=" + pki + "front-proxy-client.key",
	}
}

// controllerManagerArgs makes the autoscaler sync every 5 s and trust young pods
// soon, so that tests need not wait for minutes.
func controllerManagerArgs(dir string) []string {
	pki := filepath.Join(dir, "pki") + "/"
	return append(controllerArgs("kube-controller-manager", pki+"controller-manager.kubeconfig"),
		"--service-account-private-key-file="+pki+"sa.key", "--root-ca-file="+pki+"ca.crt", "--use-service-account-credentials=true",
		"--horizontal-pod-autoscaler-sync-period=5s", "--horizontal-pod-autoscaler-cpu-initialization-period=10s",
		"--horizontal-pod-autoscaler-initial-readiness-delay=5s", "--horizontal-pod-autoscaler-downscale-stabilization=10s",
		"--cluster-name=slipway")
}

func schedulerArgs(dir string) []string {
	return controllerArgs("kube-scheduler", filepath.Join(dir, "pki", "scheduler.kubeconfig"))
}

func controllerArgs(name, kubeconfig string) []string {
	return []string{
		name, "--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1", "--leader-elect=false",
	}
}

func kubeletArgs(dir string) []string {
	return []string{
		"kubelet", "--config=" + filepath.Join(dir, "config", "kubelet.yaml"), "--kubeconfig=" + filepath.Join(dir, "pki", "kubelet.kubeconfig"),
		"--hostname-override=" + nodeName, "--node-ip=" + nodeIP,
	}
}

func proxyArgs(dir string) []string {
	return []string{"kube-proxy", "--config=" + filepath.Join(dir, "config", "proxy.yaml")}
}

func metricsArgs(dir string) []string {
	pki := filepath.Join(dir, "pki") + "/"
	kubeconfig := pki + "metrics-server.kubeconfig"
	return []string{
		"metrics-server", "--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=" + nodeIP, "--secure-port=4443", "--tls-cert-file=" + pki + "metrics-server.crt", "--tls-private-key-file=" + pki + "metrics-server.key",
		"--kubelet-preferred-address-types=InternalIP", "--kubelet-certificate-authority=" + pki + "ca.crt",
		"--metric-resolution=10s", "--kubelet-request-timeout=5s",
	}
}
