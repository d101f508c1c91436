package account

import (
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Kind is a kind of resource in an account, or in the cluster that belongs to it.
type Kind string

// The kinds, in the order in which they are made; destroying goes backwards.
const (
	KindBucket      Kind = "bucket"
	KindProvider    Kind = "oidc-provider"
	KindPolicy      Kind = "policy"
	KindRole        Kind = "role"
	KindRepository  Kind = "repository"
	KindModelGroup  Kind = "model-package-group"
	KindLogGroup    Kind = "log-group"
	KindTopic       Kind = "topic"
	KindAlarm       Kind = "alarm"
	KindPodIdentity Kind = "pod-identity"
	KindNamespace   Kind = "namespace-rights" // Role and RoleBinding in the cluster
	KindAccessEntry Kind = "access-entry"
)

// Resource is something that the project needs.
type Resource struct {
	Kind Kind
	Name string // unique among its kind: "mlops/retail-api", "retail-deploy-prod"
	ARN  string // empty where there is none
	Spec Spec
	// Shared: others may use it too, as they do an account's OIDC provider. It is made when
	// it is missing, and never deleted or narrowed without being adopted.
	Shared bool
	Data   bool   // it holds what can't be made again: destroyed with --data only
	Why    string // a clause, for people: "images of releases"
	// Environment is the one that it is of, the value of the tag slipway:environment;
	// empty: it is of the project as a whole.
	Environment delivery.Environment
}

// Spec is how a resource is to be, one of the types below. Two are compared field by
// field, by their JSON: what AWS sorts or fills in is left out or normal.
type Spec any

// SpecOf returns the spec of a resource, which has to be of that type.
func SpecOf[T Spec](r Resource) (T, error) {
	s, ok := r.Spec.(T)
	if !ok {
		return s, fault.New(fault.Internal, "%s has the spec %T", r.Title(), r.Spec)
	}
	return s, nil
}

// Bucket is a bucket of S3. It is always encrypted, closed to the public, and takes
// requests by TLS only.
type Bucket struct {
	Versioned bool
	Expire    map[string]int `json:",omitempty"` // days after which objects below a prefix go
}

// Provider is an issuer of tokens that the account takes.
type Provider struct {
	URL       string   // without https://
	Audiences []string // sorted
}

// Policy is a managed policy: a permissions boundary, or rights of people.
type Policy struct {
	Description string
	Document    Document
}

// Role is a role with one inline policy.
type Role struct {
	Description string
	Trust       Document
	Rights      Document
	Boundary    string        // ARN of a Policy; empty: none
	MaxSession  time.Duration // 1 to 12 h
}

// Repository is a repository of ECR.
type Repository struct {
	Immutable    bool
	ScanOnPush   bool
	UntaggedDays int // after which untagged images go; tagged ones never do
}

// ModelGroup is a model package group of SageMaker.
type ModelGroup struct {
	Description string
}

// LogGroup is a group of CloudWatch Logs.
type LogGroup struct {
	RetentionDays int
}

// Topic is a topic of SNS.
type Topic struct{}

// PodIdentity gives the pods of a ServiceAccount a role. On Fargate there is none: the
// role trusts the cluster's issuer instead.
type PodIdentity struct {
	Cluster, Namespace, ServiceAccount string
	Role                               string // ARN
}

// NamespaceRights are a Role and a RoleBinding in a namespace of the cluster.
type NamespaceRights struct {
	Cluster, Namespace string
	Group              string // of Kubernetes, to which an AccessEntry maps
}

// AccessEntry maps a role to a group in a cluster.
type AccessEntry struct {
	Cluster   string
	Principal string   // ARN of the role
	Groups    []string // of Kubernetes, sorted
}

// Set is everything that a project needs in one account and region, in the order in
// which it is made.
type Set struct {
	Account, Region string
	Project         string // the service's name; the value of the tag slipway:project
	Resources       []Resource
}

// Limits of what is made, in days: how long an untagged image stays, which no release
// names, and how long a log group keeps events.
const (
	UntaggedDays  = 14
	RetentionDays = 90
)

// Tags that say what is Slipway's. There is no other state.
const (
	TagProject     = "slipway:project"
	TagEnvironment = "slipway:environment"
	TagAdopted     = "slipway:adopted" // it was there before: destroyed never
)
