package kubernetes

import (
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
func (c *cluster) linger() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lasts != nil {
		return *c.lasts
	}
	var seconds int64
	d, err := discovery.NewDiscoveryClientForConfig(c.config)
	if err != nil {
		return 0
	}
	v, err := d.ServerVersion()
	if err != nil {
		return 0 // not for ever: the next one asks again
	}
	minor, err := strconv.Atoi(strings.TrimRight(v.Minor, "+"))
	if err == nil && (v.Major != "1" || minor >= lingers) {
		seconds = lingerSeconds
	}
	c.lasts = &seconds
	return seconds
}
