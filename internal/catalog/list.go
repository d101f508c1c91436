// Package catalog is the explicit list of what this Slipway is made of: one line
// for each target, notifier, builder, scanner, model registry, job runner, state store and
// step.
package catalog

import (
	"slices"

	"github.com/slipway-cd/slipway/internal/adapter/anchore"
	"github.com/slipway-cd/slipway/internal/adapter/aws/cloudwatch"
	"github.com/slipway-cd/slipway/internal/adapter/aws/cloudwatchlogs"
	"github.com/slipway-cd/slipway/internal/adapter/aws/ecr"
	"github.com/slipway-cd/slipway/internal/adapter/aws/eventbridge"
	"github.com/slipway-cd/slipway/internal/adapter/aws/objects"
	"github.com/slipway-cd/slipway/internal/adapter/aws/s3"
	sagemakerjobs "github.com/slipway-cd/slipway/internal/adapter/aws/sagemaker/jobs"
	"github.com/slipway-cd/slipway/internal/adapter/aws/sagemaker/registry"
	"github.com/slipway-cd/slipway/internal/adapter/aws/sns"
	"github.com/slipway-cd/slipway/internal/adapter/bucket"
	"github.com/slipway-cd/slipway/internal/adapter/buildkit"
	"github.com/slipway-cd/slipway/internal/adapter/ko"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/jobrunner"
	"github.com/slipway-cd/slipway/internal/adapter/local"
	"github.com/slipway-cd/slipway/internal/adapter/mlflow"
	"github.com/slipway-cd/slipway/internal/adapter/objectfolder"
	"github.com/slipway-cd/slipway/internal/adapter/postgres"
	"github.com/slipway-cd/slipway/internal/adapter/process"
	"github.com/slipway-cd/slipway/internal/adapter/shoutrrr"
	"github.com/slipway-cd/slipway/internal/adapter/trivy"
	"github.com/slipway-cd/slipway/internal/adapter/webhook"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/step/approve"
	"github.com/slipway-cd/slipway/internal/step/attest"
	"github.com/slipway-cd/slipway/internal/step/build"
	"github.com/slipway-cd/slipway/internal/step/deploy"
	"github.com/slipway-cd/slipway/internal/step/digest"
	"github.com/slipway-cd/slipway/internal/step/evaluate"
	"github.com/slipway-cd/slipway/internal/step/push"
	"github.com/slipway-cd/slipway/internal/step/register"
	"github.com/slipway-cd/slipway/internal/step/rollback"
	"github.com/slipway-cd/slipway/internal/step/scan"
	"github.com/slipway-cd/slipway/internal/step/test"
	"github.com/slipway-cd/slipway/internal/step/train"
	"github.com/slipway-cd/slipway/internal/step/verify"
	"github.com/slipway-cd/slipway/internal/step/watch"
)

// Default lists everything that slipway.yaml can name. Nothing is opened or
// started by it.
func Default() extension.Set {
	hasher := digest.Hasher{Cache: digest.NewCache(nil)}
	return extension.Set{
		Targets: []extension.Target{
			local.Extension(),
			kubernetes.Extension(),
			kubernetes.EKSExtension(findEKS),
		},
		Notifiers: []extension.Notifier{
			webhook.Extension(),
			shoutrrr.Extension(),
			sns.Extension(),
			eventbridge.Extension(),
		},
		Builders: []extension.Builder{
			ko.Extension(),
			buildkit.Extension(),
		},
		Scanners: []extension.Scanner{
			anchore.Extension(),
			trivy.Extension(),
			ecr.ScannerExtension(),
		},
		ModelRegistries: []extension.ModelRegistry{
			sqlite.ModelRegistry(),
			mlflow.Extension(),
			registry.Extension(),
		},
		JobRunners: []extension.JobRunner{
			process.Extension(),
			jobrunner.Extension(),
			sagemakerjobs.Extension(),
		},
		StateStores: slices.Concat([]extension.StateStore{objects.Extension()}, bucket.Extensions(), []extension.StateStore{
			objectfolder.Extension(),
			postgres.Extension(),
		}),
		Steps: []extension.Step{
			test.Extension(),
			build.Extension(),
			scan.Extension(),
			push.Extension(),
			train.Extension(hasher),
			evaluate.Extension(hasher),
			register.Extension(),
			attest.Extension(),
			approve.Extension(),
			deploy.Extension(),
			verify.Extension(),
			watch.Extension(),
			rollback.Extension(),
		},
		AWS: extension.AWSParts{
			Push: ecr.PushRights, Pull: ecr.PullRights, Alarms: cloudwatch.AlarmRights, Metrics: cloudwatch.MetricRights, Logs: cloudwatchlogs.Rights,
			Datasets: s3.DatasetRights, PodsModel: registry.PodsRights,
		},
	}
}
