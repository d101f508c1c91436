package client

import "k8s.io/klog/v2"

// DiscardLogs silences what the Kubernetes client libraries log to stderr: what
// matters of it is returned as errors. Call it at the start of a program, before
// anything connects.
func DiscardLogs() { klog.SetLogger(klog.Logger{}) }
