package extension

// AWSChecks is what a project uses in one account and region, for checks.
type AWSChecks struct {
	AWS
	Known          bool   // another place shows whose the credentials are
	RepositoryHost string // of ECR; empty: images are elsewhere
	RepositoryPath string
	CreateImages   bool   // a run makes a repository that is missing
	Group          string // package group of SageMaker; empty: models are elsewhere
	Cluster        string // of EKS; empty: none
	Quotas         []Quota
}

// Quota is a limit of AWS that jobs need.
type Quota struct {
	Service string  // "sagemaker"
	Name    string  // as Service Quotas shows it: "ml.m5.xlarge for training job usage"
	Needs   float64 // at least
}

// QuotaUser is the section of a job runner whose jobs need quotas of AWS.
type QuotaUser interface {
	// Quotas are those of one job, for training or for evaluation.
	Quotas(evaluates bool) []Quota
}
