package jobs

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/s3"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

const (
	rolePattern     = `^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role/[\w+=,.@/-]{1,500}$`
	bucketPattern   = `^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`
	prefixPattern   = `^[A-Za-z0-9][A-Za-z0-9._/-]{0,255}$`
	instancePattern = `^ml\.[a-z0-9-]{1,30}\.[a-z0-9-]{1,30}$`
	channelPattern  = `^[A-Za-z0-9._-]{1,64}$`
	imagePattern    = `^[a-z0-9][A-Za-z0-9._/:@-]{0,254}$`
)

// Extension describes the job runner to the catalog.
func Extension() extension.JobRunner {
	section := extension.SectionOf(check)
	section.Patterns = map[string]string{"role": rolePattern, "assume": rolePattern, "bucket": bucketPattern, "prefix": prefixPattern, "image": imagePattern}
	return extension.JobRunner{
		Kind: "sagemaker", Description: "A job of Amazon SageMaker.", Example: "sagemaker: {role: ..., image: ..., instances: [ml.m5.xlarge], bucket: ...}",
		Section: section, Remote: true, PriceKey: "price", TrainingOnly: []string{"spot", "checkpoint", "max_wait", "max_pending", "keep_alive", "metrics"},
		DockerImage: func(section any) string {
			s, ok := section.(*Section)
			if !ok {
				return ""
			}
			return s.Image
		},
		Rates: func(section any) []delivery.Rate {
			if s, ok := section.(*Section); ok {
				return rates(s)
			}
			return nil
		},
		New: func(h extension.Host, section any) (port.Jobs, error) {
			s, ok := section.(*Section)
			if !ok {
				return nil, fault.New(fault.Internal, "the settings of the job runner of SageMaker are a %T", section)
			}
			return New(Config{Section: *s, Clock: h.Clock}), nil
		},
	}
}

// ownInputs are the names of inputs that jobs have themselves.
var ownInputs = []string{"data", "checkout", "model", ownInput}

// minPending and maxKeepAlive are SageMaker's limits. Source: its model.
const (
	minPending   = 30 * time.Minute
	maxKeepAlive = 6 * time.Hour
)

func check(s *Section, c extension.Checker) {
	c.MatchPattern("role", s.Role, rolePattern, "such as arn:aws:iam::111122223333:role/training")
	if s.Assume != "" {
		c.MatchPattern("assume", s.Assume, rolePattern, "such as arn:aws:iam::111122223333:role/deploy")
	}
	if !regexp.MustCompile(imagePattern).MatchString(s.Image) { // by digest it is longer than names may be
		c.Fail("image", "such as 111122223333.dkr.ecr.ap-southeast-1.amazonaws.com/mlops/train:1.4", "invalid value %q", s.Image)
	}
	c.MatchPattern("bucket", s.Bucket, bucketPattern, "the name alone, without s3://")
	if s.Prefix != "" {
		c.MatchPattern("prefix", s.Prefix, prefixPattern, "such as slipway")
	}
	for _, t := range s.Instances {
		c.MatchPattern("instances", t, instancePattern, "such as ml.m5.xlarge")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Channels)) {
		c.MatchPattern("channels", name, channelPattern, "letters, digits and . _ -")
		if _, err := s3.Parse(s.Channels[name]); err != nil {
			c.Fail("channels", "such as s3://bucket/train/", "channel %s: %v", name, err)
		}
		if slices.Contains(ownInputs, name) {
			c.Fail("channels", "jobs have the inputs "+strings.Join(ownInputs, ", ")+" themselves", "a channel may not be named %s", name)
		}
	}
	for _, t := range slices.Sorted(maps.Keys(s.Price)) {
		if _, ok := delivery.ParseMoney(s.Price[t]); !ok {
			c.Fail("price", "an amount for an hour with its currency, such as 0.30 USD", "the price of %s is %q", t, s.Price[t])
		}
	}
	checkTimes(s, c)
}

func checkTimes(s *Section, c extension.Checker) {
	if s.Checkpoint != "" {
		if _, err := s3.Parse(s.Checkpoint); err != nil {
			c.Fail("checkpoint", "such as s3://bucket/checkpoints/", "%v", err)
		}
	}
	switch {
	case s.Spot && s.Checkpoint == "":
		c.Fail("spot", "set checkpoint: s3://..., and make the command write to and go on from /opt/ml/checkpoints", "spot instances without a checkpoint: each interruption would start the job from its beginning")
	case !s.Spot && s.MaxWait != 0:
		c.Fail("max_wait", "set spot: true, or max_pending for how long to wait for capacity", "max_wait is for spot instances only")
	case s.MaxWait != 0 && s.MaxWait < s.MaxRuntime:
		c.Fail("max_wait", "it includes the time for which the job runs", "max_wait is less than max_runtime")
	}
	if s.MaxPending != 0 && s.MaxPending.D() < minPending {
		c.Fail("max_pending", "SageMaker takes 30m at least", "max_pending is %s", s.MaxPending.D())
	}
	if s.KeepAlive.D() > maxKeepAlive {
		c.Fail("keep_alive", "SageMaker takes 6h at most", "keep_alive is %s", s.KeepAlive.D())
	}
}
