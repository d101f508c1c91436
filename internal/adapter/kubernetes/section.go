package kubernetes

// Section is target.kubernetes in slipway.yaml: a namespace of a cluster. Its JSON
// is the delivery.Location of stored plans.
type Section struct {
	Kubeconfig string `yaml:"kubeconfig" json:"kubeconfig,omitempty" jsonschema_description:"Path of the kubeconfig. Default: $KUBECONFIG, ~/.kube/config, or in a pod its own account."`
	Context    string `yaml:"context" json:"context,omitempty" jsonschema_description:"Context of the kubeconfig. Default: its current one."`
	Namespace  string `yaml:"namespace" json:"namespace,omitempty" jsonschema_description:"Namespace of the service. Default: the context's."`
	Registry   string `yaml:"registry" json:"registry,omitempty" jsonschema_description:"Host and port under which the cluster's nodes reach Slipway's own registry, for images without a registry's host."`
	TakeOver   bool   `yaml:"take_over" json:"take_over,omitempty" jsonschema_description:"Take over fields of objects that something else manages. Default: that is a conflict."`
}
