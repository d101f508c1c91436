package metrics

import corev1 "k8s.io/api/core/v1"

// Endpoint is a pod and the port on which it takes requests.
type Endpoint struct {
	Pod  corev1.Pod
	Port int
}
