package kubernetes

import (
	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
)

// EKSSection is target.eks in slipway.yaml: a namespace of a cluster of AWS. Its JSON is
// that of a Section, so that both are one target.
type EKSSection struct {
	Cluster   string `yaml:"cluster" json:"cluster" jsonschema:"required" jsonschema_description:"Name of the cluster."`
	Namespace string `yaml:"namespace" json:"namespace" jsonschema:"required" jsonschema_description:"Namespace of the service."`
	TakeOver  bool   `yaml:"take_over" json:"take_over,omitempty" jsonschema_description:"Take over fields that are owned by other field managers. Default: such fields are a conflict."`

	extension.AWS `yaml:"-"`
}

// UseAWS implements extension.AWSUser.
func (s *EKSSection) UseAWS(a extension.AWS) { s.AWS = a }

// AWSRights implements extension.RightsUser. What the role may do in the namespace is up to
// the cluster: see EKSPlace.
func (s *EKSSection) AWSRights(p extension.AWSPlace) extension.AWSRights {
	return extension.AWSRights{Role: s.Role, Statements: []account.Statement{{
		Sid: "FindTheCluster", Actions: []string{"eks:DescribeCluster"}, Resources: []string{p.ARN("eks", "cluster/"+s.Cluster)},
		Needs: []account.Need{{Step: "deploy, verify, watch, rollback", Call: "eks:DescribeCluster", Why: "to find the cluster's address and certificate, at every connection"}},
	}}}
}

// EKSPlace implements extension.ClusterUser.
func (s *EKSSection) EKSPlace() (cluster, namespace string) { return s.Cluster, s.Namespace }

const clusterPattern = `^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$`

// EKSExtension describes the target for clusters of AWS to the catalog.
func EKSExtension(access Access) extension.Target {
	e := Extension()
	e.Kind, e.Description, e.Example = "eks", "A namespace of a cluster of AWS, found by its name in the region that aws names.", "eks: {cluster: ..., namespace: ...}"
	e.Section = extension.SectionOf(func(s *EKSSection, c extension.Checker) {
		c.MatchPattern("cluster", s.Cluster, clusterPattern, "see `aws eks list-clusters`")
		c.MatchPattern("namespace", s.Namespace, delivery.LabelPattern, "lower-case letters, digits and dashes, at most 63")
		if isEmbedded(c.ImageRepository()) {
			c.Fail("", "add the registry's host: ACCOUNT.dkr.ecr.REGION.amazonaws.com/"+c.ImageRepository(),
				"the cluster cannot pull %q from Slipway's embedded registry", c.ImageRepository())
		}
	})
	e.New = func(h extension.Host) (port.Target, error) {
		config := configOf(h)
		config.Access = access
		return New(config), nil
	}
	return e
}
