package kubernetes

import "github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"

// DiscardLogs silences what the Kubernetes client libraries log to stderr. Call it at
// the start of a program.
func DiscardLogs() { client.DiscardLogs() }
