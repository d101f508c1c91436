package jobs

import "github.com/slipway-cd/slipway/internal/extension"

// Quotas implements extension.QuotaUser. A processing job takes the first type only. The
// names are those of Service Quotas, where new accounts have 0 for most types.
func (s *Section) Quotas(evaluates bool) (all []extension.Quota) {
	use, instances := " for training job usage", s.Instances
	switch {
	case evaluates:
		use, instances = " for processing job usage", instances[:min(1, len(instances))]
	case s.Spot:
		use = " for spot training job usage"
	}
	for _, t := range instances {
		all = append(all, extension.Quota{Service: "sagemaker", Name: t + use, Needs: float64(max(1, s.Count))})
	}
	return all
}
