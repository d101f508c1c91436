package jobrunner

// Section is on.kubernetes in slipway.yaml.
type Section struct {
	Context      string            `yaml:"context" json:"context,omitempty" jsonschema_description:"Context of the kubeconfig. Default: the current context."`
	Namespace    string            `yaml:"namespace" json:"namespace,omitempty" jsonschema_description:"Namespace of the Job. Default: that of the context."`
	Image        string            `yaml:"image" json:"image" jsonschema:"required" jsonschema_description:"Image in which the command runs, with sh and tar, such as python:3.12-slim or one by digest."`
	CPU          string            `yaml:"cpu" json:"cpu,omitempty" jsonschema_description:"CPU cores, such as 4 or 500m. Default: no request and no limit."`
	Memory       string            `yaml:"memory" json:"memory,omitempty" jsonschema_description:"Memory, such as 8Gi. Default: no request and no limit."`
	GPU          int               `yaml:"gpu" json:"gpu,omitempty" jsonschema:"minimum=0,maximum=64" jsonschema_description:"Number of GPUs (nvidia.com/gpu)."`
	NodeSelector map[string]string `yaml:"node_selector" json:"node_selector,omitempty" jsonschema_description:"Labels of the nodes that may run it."`
	PullSecret   string            `yaml:"pull_secret" json:"pull_secret,omitempty" jsonschema_description:"Secret of the namespace with which the image is pulled."`
}
