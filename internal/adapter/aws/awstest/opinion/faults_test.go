package opinion_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest/opinion"
	"github.com/slipway-cd/slipway/internal/port"
)

// envelope is an operation that microburst throttles once and fails once, in the form
// that its own reading of AWS's models has for the service.
type envelope struct {
	service, operation string // as microburst has them
	step               string // that calls it
	throttled          string // code
	failed             string // code, with the HTTP status where microburst's own is not that of the reference
	want               [2]string
}

// Of an error without a status in the model, microburst makes a 400 in services that take
// JSON; the references of ECR and EventBridge have 500.
var envelopes = []envelope{
	{"sts", "GetCallerIdentity", "whose the credentials are", "Throttling", "InternalFailure", [2]string{"400 Throttling", "500 InternalFailure"}},
	{"ecr", "DescribeRepositories", "the repository", "ThrottlingException", "ServerException, status: 500", [2]string{"400 ThrottlingException", "500 ServerException"}},
	{"eks", "DescribeCluster", "the cluster", "ThrottlingException", "ServerException", [2]string{"429 ThrottlingException", "500 ServerException"}},
	{"s3", "PutObject", "replacing an object", "SlowDown", "InternalError", [2]string{"503 SlowDown", "500 InternalError"}},
	{"sagemaker", "DescribeModelPackageGroup", "registering a model", "ThrottlingException", "ServiceUnavailable", [2]string{"400 ThrottlingException", "503 ServiceUnavailable"}},
	{"sagemaker", "UpdateModelPackage", "approving a model", "ThrottlingException", "InternalFailure", [2]string{"400 ThrottlingException", "500 InternalFailure"}},
	{"cloudwatch", "PutMetricData", "metrics", "Throttling", "InternalServiceFault, status: 500", [2]string{"400 Throttling", "500 InternalServiceFault"}},
	{"logs", "PutLogEvents", "a run's events as logs", "ThrottlingException", "ServiceUnavailableException", [2]string{"400 ThrottlingException", "503 ServiceUnavailableException"}},
	{"sns", "Publish", "SNS", "Throttling", "InternalError", [2]string{"400 Throttling", "500 InternalError"}},
	{"events", "PutEvents", "EventBridge", "ThrottlingException", "InternalException, status: 500", [2]string{"400 ThrottlingException", "500 InternalException"}},
}

// rules are microburst's: one of each fault, and a response that is lost after the work
// was done.
func rules() string {
	var b strings.Builder
	b.WriteString("rules:\n")
	for _, e := range envelopes {
		for _, code := range []string{e.throttled, e.failed} {
			fmt.Fprintf(&b, "  - {service: %s, operation: %s, times: 1, error: {code: %s}}\n", e.service, e.operation, code)
		}
	}
	b.WriteString("  - {service: sagemaker, operation: CreateModelPackage, times: 1, response: {abort_bytes: 1}}\n")
	return b.String()
}

func stepNamed(t *testing.T, name string) step {
	t.Helper()
	for _, s := range steps {
		if s.name == name {
			return s
		}
	}
	t.Fatalf("there is no step %q", name)
	return step{}
}

// TestAWS_ErrorEnvelopes puts microburst between Slipway and moto: errors in the form of
// each service, as a program that reads AWS's models on its own has them, are tried again.
func TestAWS_ErrorEnvelopes(t *testing.T) {
	program := python(t)
	moto := opinion.StartMoto(t, program)
	burst := opinion.StartMicroburst(t, program, moto, rules())
	names, err := awstest.New(awstest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	moto.Await(t)
	burst.Await(t)
	w := newWorld(t, moto, names, newIssuer(t))
	w.client = burst.Client(names)
	services := map[string]bool{}
	for _, e := range envelopes {
		services[e.service] = true
		err := stepNamed(t, e.step).do(t.Context(), w)
		var said []string
		for _, a := range w.client.Take() {
			if strings.HasSuffix(a.Operation, "."+e.operation) {
				said = append(said, strings.TrimSpace(fmt.Sprintf("%d %s", a.Status, a.Code)))
			}
		}
		if err != nil || len(said) < 3 || said[0] != e.want[0] || said[1] != e.want[1] || said[2] == said[1] {
			t.Errorf("%s: %s was answered %q, error = %v, want %q and another attempt", e.step, e.operation, said, err, e.want)
		}
	}
	requireOneVersion(t, w)
	t.Logf("awstable: error envelopes: %d operations of %d services throttled, failed and tried again behind microburst", len(envelopes), len(services))
}

// requireOneVersion: the response to the registration was lost. moto ignores ClientToken,
// and made two versions, of which Slipway counts one.
func requireOneVersion(t *testing.T, w *world) {
	t.Helper()
	all, _, err := w.models().List(t.Context(), port.ModelFilter{Group: models}, port.Page{})
	if err != nil || len(all) != 1 {
		t.Errorf("%d versions of the model, error = %v", len(all), err)
	}
}
