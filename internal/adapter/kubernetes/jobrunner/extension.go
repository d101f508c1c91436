package jobrunner

import (
	"regexp"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Extension describes the job runner to the catalog.
func Extension() extension.JobRunner {
	section := extension.SectionOf(check)
	section.Patterns = map[string]string{
		"namespace": delivery.LabelPattern, "pull_secret": delivery.LabelPattern, "image": imagePattern,
		"cpu": quantityPattern, "memory": quantityPattern,
	}
	return extension.JobRunner{
		Kind: "kubernetes", Description: "A Job in a Kubernetes cluster.", Example: "kubernetes: {namespace: ..., image: ...}",
		Section: section, Remote: true,
		New: func(h extension.Host, section any) (port.Jobs, error) {
			s, ok := section.(*Section)
			if !ok {
				return nil, fault.New(fault.Internal, "the settings of the Kubernetes job runner are a %T", section)
			}
			return New(Config{Section: *s, Connect: func() (*client.Client, error) {
				return client.Connect(client.Location{Context: s.Context, Namespace: s.Namespace, Repository: h.Repository}, nil, nil)
			}}), nil
		},
	}
}

// quantityPattern is for editors; check reads the quantity.
const quantityPattern = `^[0-9]+(\.[0-9]+)?(m|k|[KMGTPE]i?)?$`

// imagePattern is compiled where it is used: compiled patterns of this kind are slow to
// make, and every start of the program would make them.
const imagePattern = `^[a-z0-9][A-Za-z0-9._/:@-]{0,511}$`

func check(s *Section, c extension.Checker) {
	if s.Namespace != "" {
		c.MatchPattern("namespace", s.Namespace, delivery.LabelPattern, "lower-case letters, digits and dashes, at most 63")
	}
	if !regexp.MustCompile(imagePattern).MatchString(s.Image) {
		c.Fail("image", "such as registry.example.com/train:1.4", "invalid image %q", s.Image)
	}
	for _, q := range []struct{ key, text, hint string }{{"cpu", s.CPU, "such as 4 or 500m"}, {"memory", s.Memory, "such as 8Gi"}} {
		if _, err := resource.ParseQuantity(q.text); q.text != "" && err != nil {
			c.Fail(q.key, q.hint, "invalid quantity %q", q.text)
		}
	}
	for key, value := range s.NodeSelector {
		if len(validation.IsQualifiedName(key))+len(validation.IsValidLabelValue(value)) > 0 {
			c.Fail("node_selector", "see `kubectl get nodes --show-labels`", "invalid label %s=%s", key, value)
		}
	}
	if s.PullSecret != "" {
		c.MatchPattern("pull_secret", s.PullSecret, delivery.LabelPattern, "the name of a Secret")
	}
}
