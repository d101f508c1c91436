package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// DebianPackages are the Debian packages that Start requires.
const DebianPackages = "containerd runc containernetworking-plugins iptables conntrack nftables ethtool socat iproute2 util-linux"

// checkRequirements returns an error that lists what this machine lacks for a
// cluster.
func checkRequirements() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("start a cluster: root is required: %w", ErrUnsupported)
	}
	var missing []string
	for _, name := range []string{"containerd", "containerd-shim-runc-v2", "ctr", "runc", "iptables", "conntrack", "nft", "ip", "nsenter"} {
		if _, err := exec.LookPath(name); err != nil {
			missing = append(missing, name)
		}
	}
	if _, err := pluginDir(); err != nil {
		missing = append(missing, "the CNI plugins bridge, host-local, portmap and loopback")
	}
	if len(missing) > 0 {
		return fmt.Errorf("start a cluster: missing %s (apt-get install --no-install-recommends %s): %w", strings.Join(missing, ", "), DebianPackages, ErrUnsupported)
	}
	return nil
}

// pluginDir returns the folder of the CNI plugins, on Debian or elsewhere.
func pluginDir() (string, error) {
	for _, dir := range []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"} {
		found := 0
		for _, name := range []string{"bridge", "host-local", "portmap", "loopback"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				found++
			}
		}
		if found == 4 {
			return dir, nil
		}
	}
	return "", os.ErrNotExist
}
