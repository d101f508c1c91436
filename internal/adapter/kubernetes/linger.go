package kubernetes

import (
	"context"
	"strconv"
	"strings"

	"k8s.io/client-go/discovery"
)

// lingerSeconds is how long the nodes may take to hear that a pod is about to
// end: kube-proxy looks once a second, and a busy one is late.
const lingerSeconds = int64(3)

// lingers is the first minor version of Kubernetes 1 whose kubelets can wait
// without a program in the image (PodLifecycleSleepAction).
const lingers = 30

// linger is how long our containers are to answer after the end of their pod was
// announced; 0 where the cluster is too old, or does not tell.
func (c *cluster) linger(ctx context.Context) int64 {
	c.mu.Lock()
	known := c.lasts
	c.mu.Unlock()
	if known != nil {
		return *known
	}
	seconds, _ := shareOnce(ctx, &c.once, "version", c.askLinger) // 0, but not for ever: the next one asks again
	return seconds
}

func (c *cluster) askLinger(ctx context.Context) (int64, error) {
	d, err := discovery.NewDiscoveryClientForConfig(c.config)
	if err != nil {
		return 0, err
	}
	v, err := d.ServerVersionWithContext(ctx)
	if err != nil {
		return 0, err
	}
	var seconds int64
	minor, err := strconv.Atoi(strings.TrimRight(v.Minor, "+"))
	if err == nil && (v.Major != "1" || minor >= lingers) {
		seconds = lingerSeconds
	}
	c.mu.Lock()
	c.lasts = &seconds
	c.mu.Unlock()
	return seconds, nil
}
