package registry

import (
	"path/filepath"
	"strings"

	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Section is model.registry.sagemaker in slipway.yaml.
type Section struct {
	Storage  string `yaml:"storage" json:"storage" jsonschema:"required" jsonschema_description:"s3://BUCKET/PREFIX for metrics and archives of models, in the region that aws names."`
	RoleName string `yaml:"role" json:"registry_role,omitempty" jsonschema_description:"ARN of the role that reads and writes the registry. It is assumed as an environment's is. Default: the credentials as they are."`

	extension.AWS `yaml:"-"`
}

// UseAWS implements extension.AWSUser.
func (s *Section) UseAWS(a extension.AWS) {
	if s.RoleName != "" {
		a.Role = s.RoleName
	}
	s.AWS = a
}

const (
	storagePattern = `^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._/=-]{1,500})?$`
	rolePattern    = `^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role/[\w+=,.@/-]{1,500}$`
)

// Extension describes the registry to the catalog.
func Extension() extension.ModelRegistry {
	section := extension.SectionOf(func(s *Section, c extension.Checker) {
		c.MatchPattern("storage", s.Storage, storagePattern, "such as s3://mlops-models/slipway")
		if s.RoleName != "" {
			c.MatchPattern("role", s.RoleName, rolePattern, "such as arn:aws:iam::111122223333:role/slipway-models")
		}
	})
	section.Patterns = map[string]string{"storage": storagePattern, "role": rolePattern}
	return extension.ModelRegistry{
		Kind: "sagemaker", Description: "SageMaker's Model Registry, in the account and region that aws names.",
		Example: "sagemaker: {storage: s3://mlops-models/slipway}", Section: section, ReadsDockerImages: true,
		Address: func(section any) extension.Secret {
			s, _ := section.(*Section)
			return extension.Secret(s.Storage)
		},
		New: func(h extension.Host, section any) (port.ModelRegistry, error) {
			s, ok := section.(*Section)
			if !ok {
				return nil, fault.New(fault.Internal, "the settings of SageMaker's registry are a %T", section)
			}
			return New(Config{
				AWS: s.AWS, Storage: strings.TrimSuffix(s.Storage, "/"), Artifacts: h.Artifacts, Scratch: filepath.Clean(h.Home), Clock: h.Clock,
			}), nil
		},
	}
}
