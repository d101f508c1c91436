package opinion_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/cloudwatch"
	"github.com/slipway-cd/slipway/internal/adapter/aws/cloudwatchlogs"
	"github.com/slipway-cd/slipway/internal/adapter/aws/ecr"
	"github.com/slipway-cd/slipway/internal/adapter/aws/eks"
	"github.com/slipway-cd/slipway/internal/adapter/aws/eventbridge"
	"github.com/slipway-cd/slipway/internal/adapter/aws/s3"
	"github.com/slipway-cd/slipway/internal/adapter/aws/sagemaker/registry"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/adapter/aws/sns"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// step is something that Slipway does with AWS, by its own adapters.
type step struct {
	name string
	do   func(ctx context.Context, w *world) error
}

// steps call every operation of AWS that Slipway calls: TestOperations_AllAreCalled.
var steps = []step{
	{"whose the credentials are", func(ctx context.Context, w *world) error { return w.check(ctx, "") }},
	{"a role", func(ctx context.Context, w *world) error { return w.check(ctx, deployRole) }},
	{"a role by a token of GitHub", func(ctx context.Context, w *world) error {
		w.lookup = map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": w.tokens, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"}
		defer func() { w.lookup = nil }()
		return w.check(ctx, deployRole)
	}},
	{"login to the registry", func(ctx context.Context, w *world) error {
		_, _, _, err := ecr.New(w.options(), nil, nil).Login(ctx, w.host())
		return err
	}},
	{"the repository", checkRepository(repository, false)},
	{"a repository that is missing", checkRepository("mlops/other", false)},
	{"a repository that is made", checkRepository("mlops/made", true)},
	{"the image to go back to", func(ctx context.Context, w *world) error {
		return ecr.NewRegistries(w.options(), nil).CheckImage(ctx, w.host(), repository, w.image)
	}},
	{"an image that is missing", func(ctx context.Context, w *world) error {
		return ecr.NewRegistries(w.options(), nil).CheckImage(ctx, w.host(), repository, delivery.DigestOf(nil))
	}},
	{"a scan of what was pushed", scan(repository)},
	{"a scan that has to be begun", scan(unscanned)},
	{"the cluster", find(cluster)},
	{"a cluster that is missing", find("other")},
	{"an object", withObjects(func(ctx context.Context, c *s3.Client) error {
		_, err := c.Create(ctx, object("a/b c"), strings.NewReader("12345"), 5, s3.Encryption{})
		return err
	})},
	{"an object again", withObjects(func(ctx context.Context, c *s3.Client) error {
		_, err := c.Create(ctx, object("a/b c"), strings.NewReader("12345"), 5, s3.Encryption{})
		return err
	})},
	{"reading an object", withObjects(func(ctx context.Context, c *s3.Client) error {
		_, err := c.Read(ctx, object("a/b c"), 10)
		return err
	})},
	{"reading an object that is missing", withObjects(func(ctx context.Context, c *s3.Client) error {
		_, err := c.Read(ctx, object("none"), 10)
		return err
	})},
	{"replacing an object", withObjects(func(ctx context.Context, c *s3.Client) error {
		return c.Replace(ctx, object("a/b c"), strings.NewReader("123"), 3, s3.Encryption{})
	})},
	{"listing objects", func(ctx context.Context, w *world) error {
		_, err := s3.NewDatasets(w.at(), w.options()).Pin(ctx, object("a/").String())
		return err
	}},
	{inParts, withObjects(func(ctx context.Context, c *s3.Client) error {
		_, err := c.Create(ctx, object("parts"), zeros{}, largeObject, s3.Encryption{})
		return err
	})},
	{"an object in parts that fails", withObjects(func(ctx context.Context, c *s3.Client) error {
		_, err := c.Create(ctx, object("broken"), zeros{fails: 1}, largeObject, s3.Encryption{})
		return err
	})},
	{"a bucket that is missing", withObjects(func(ctx context.Context, c *s3.Client) error {
		_, err := c.Read(ctx, s3.Object{Bucket: "retail-none", Key: "k"}, 10)
		return err
	})},
	{"registering a model", func(ctx context.Context, w *world) error {
		_, err := w.register(ctx)
		return err
	}},
	{"registering it again", func(ctx context.Context, w *world) error {
		_, err := w.register(ctx)
		return err
	}},
	{"approving a model", func(ctx context.Context, w *world) error {
		_, err := w.models().Decide(ctx, version, delivery.ModelDecision{Status: delivery.Approved, By: delivery.Actor{Name: "ana"}, Why: "seen"})
		return err
	}},
	{"showing where a model is deployed", func(ctx context.Context, w *world) error {
		return w.models().SetStage(ctx, version, port.ModelStage{Environment: "prod", State: delivery.Serving, Release: "r-20261130-000001"})
	}},
	{"listing approved models", func(ctx context.Context, w *world) error {
		_, _, err := w.models().List(ctx, port.ModelFilter{Group: models, Status: delivery.Approved}, port.Page{})
		return err
	}},
	{"a model that is missing", func(ctx context.Context, w *world) error {
		_, err := w.models().Get(ctx, models, 99)
		return err
	}},
	{"a training job", func(ctx context.Context, w *world) error { return w.run(ctx, trainingJob) }},
	{"stopping a training job", stopTraining},
	{"the log of a job", readLog},
	{"a processing job", func(ctx context.Context, w *world) error { return w.run(ctx, processingJob) }},
	{"stopping a processing job", stopProcessing},
	{"metrics", func(ctx context.Context, w *world) error {
		return w.metrics().Publish(ctx, []port.Measurement{{Metric: "latency", Value: 20, Unit: "Milliseconds", Time: time.Now(), Fine: true, Dimensions: map[string]string{"Environment": "prod"}}})
	}},
	{"an alarm", func(ctx context.Context, w *world) error {
		_, err := w.metrics().Ensure(ctx, alarmOwner, []port.Alarm{alarm})
		return err
	}},
	{"states of alarms", func(ctx context.Context, w *world) error {
		_, err := w.metrics().States(ctx, []string{alarm.Name, "absent"})
		return err
	}},
	{"an alarm that is no longer wanted", func(ctx context.Context, w *world) error {
		_, err := w.metrics().Ensure(ctx, alarmOwner, nil)
		return err
	}},
	{"a run's events as logs", appendLog(logGroup)},
	{"a log group that is missing", appendLog("/slipway/absent")},
	{"SNS", func(ctx context.Context, w *world) error { return sns.New(w.topic, w.options()).Notify(ctx, message) }},
	{"a topic that is missing", func(ctx context.Context, w *world) error {
		return sns.New(w.topic+"-absent", w.options()).Notify(ctx, message)
	}},
	{"EventBridge", func(ctx context.Context, w *world) error {
		return eventbridge.New("arn:aws:events:"+awstest.Region+":"+awstest.Account+":event-bus/default", w.options()).Notify(ctx, message)
	}},
}

// largeObject is one byte more than a part. The step that stores it takes seconds.
const (
	largeObject = 64<<20 + 1
	inParts     = "an object in parts"
)

var message = port.Message{ID: "1", Title: "retail: deployed", Text: "r-1 serves <prod> & more", JSON: []byte(`{"outcome": "deployed"}`)}

var (
	alarmOwner = port.AlarmOwner{Service: "retail", Environment: "prod"}
	alarm      = port.Alarm{
		Name: "slipway/retail/prod/p95", Namespace: "Retail", Metric: "latency", Statistic: "p95", Dimensions: map[string]string{"Environment": "prod"},
		Period: delivery.Duration(time.Minute), Periods: 3, Breaching: 2, Threshold: 200,
	}
	version = delivery.ModelRef{Group: models, Version: 1}
)

func object(key string) s3.Object { return s3.Object{Bucket: bucket, Key: key} }

// check asks whose the credentials are, by a role unless it is empty.
func (w *world) check(ctx context.Context, role string) error {
	at := w.at()
	at.Role = role
	s, err := session.Open(ctx, at, w.options())
	if err != nil {
		return err
	}
	return s.Check(ctx)
}

func checkRepository(name string, create bool) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		drift, err := ecr.NewRegistries(w.options(), nil).CheckRepository(ctx, w.host(), name, create)
		if len(drift) > 0 {
			err = errors.Join(err, fmt.Errorf("drift %q", drift))
		}
		return err
	}
}

func find(name string) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		_, err := eks.Find(ctx, eks.Cluster{Name: name, AWS: w.at()}, w.options())
		return err
	}
}

func withObjects(do func(context.Context, *s3.Client) error) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		s, err := w.open(ctx)
		if err != nil {
			return err
		}
		return do(ctx, s3.New(s))
	}
}

func (w *world) models() *registry.Registry {
	return registry.New(registry.Config{AWS: w.at(), Storage: "s3://" + bucket + "/slipway", Scratch: w.t.TempDir(), Pause: time.Millisecond, Options: w.options()})
}

func (w *world) register(ctx context.Context) (delivery.ModelVersion, error) {
	image := w.host() + "/" + repository + "@" + string(w.image)
	return w.models().Register(ctx, models, delivery.DigestOf([]byte("model")), delivery.Metrics{"accuracy": 0.9}, delivery.Lineage{Commit: "abc", Data: delivery.DigestOf([]byte("data")), Image: image})
}

func (w *world) metrics() *cloudwatch.Client { return cloudwatch.New(w.at(), "Retail", w.options()) }

func appendLog(group string) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		return cloudwatchlogs.New(w.at(), group, w.options()).Append(ctx, "prod/run-1", []port.LogLine{{Time: time.Now(), Text: `{"event": "began"}`}})
	}
}

// operations lists what was called, by the AWS of the tests.
func operations(l *awstest.Lab) map[string]bool {
	all := map[string]bool{}
	for _, call := range l.Calls() {
		all[call.Service+"."+call.Operation] = true
	}
	return all
}
