package extension

// AWS is the account and region that an environment is in, as aws in slipway.yaml names
// them.
type AWS struct {
	Account string `json:"account,omitempty"` // twelve digits; empty: that of the credentials
	Region  string `json:"region,omitempty"`
	Role    string `json:"role,omitempty"` // ARN of a role to assume; empty: the credentials as they are
}

// Monitoring is where an environment's alarms and metrics are in AWS.
type Monitoring struct {
	AWS
	Namespace string `json:"namespace,omitempty"` // of the metrics that Slipway publishes
}

// AWSUser is the section of an extension that is in AWS.
type AWSUser interface {
	// UseAWS fills in what the section itself leaves out.
	UseAWS(a AWS)
}
