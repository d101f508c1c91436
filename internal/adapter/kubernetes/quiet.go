package kubernetes

import "k8s.io/klog/v2"

// DiscardLogs silences what the Kubernetes client libraries log to stderr: what
// matters of it comes back as errors. It is for the start of a program, before
// anything is connected.
func DiscardLogs() { klog.SetLogger(klog.Logger{}) }
