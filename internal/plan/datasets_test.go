package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/step"
)

// Data in a bucket is pinned by the plan: training and evaluation get the same pin, and
// another one is another input.
func TestNew_PinsDatasets(t *testing.T) {
	const uri = "s3://retail-ml/train/"
	text := "aws: {region: ap-southeast-1}" + strings.Replace(file, "data: [data.csv]", "data: ["+uri+"]", 1)
	pinned := func(d delivery.Digest) (train, evaluate step.Spec, p plan.Plan) {
		f := facts()
		f.Datasets = []delivery.Dataset{{URI: uri, Digest: d, Objects: 3, Size: 9}}
		f.Data, f.DataDigest = []plan.Data{{Path: uri, Digest: d}}, d
		p, err := plan.New(project(t, text), plan.Trigger{Event: plan.PushEvent, Branch: "main"}, f)
		if err != nil {
			t.Fatal(err)
		}
		of := func(kind step.Kind) step.Spec {
			return p.Steps[slices.IndexFunc(p.Steps, func(s step.Spec) bool { return s.Kind == kind })]
		}
		return of(step.Train), of(step.Evaluate), p
	}
	train, evaluate, p := pinned(digest)
	w, err := step.ParamsOf[step.TrainParams](train)
	e, err2 := step.ParamsOf[step.EvaluateParams](evaluate)
	if err != nil || err2 != nil || w.DataAt.IsZero() || !slices.Equal(w.Data, []string{uri}) {
		t.Errorf("%+v, %v, %v", w, err, err2)
	}
	if p.Version != 2 {
		t.Errorf("version %d, want 2: an older Slipway leaves them out", p.Version)
	}
	for _, got := range [][]delivery.Dataset{w.Datasets, e.Datasets, p.Datasets} {
		if diff := cmp.Diff([]delivery.Dataset{{URI: uri, Digest: digest, Objects: 3, Size: 9}}, got); diff != "" {
			t.Errorf("datasets (-want +got):\n%s", diff)
		}
	}
	other, _, _ := pinned(delivery.DigestOf([]byte("other")))
	if other.Inputs == train.Inputs {
		t.Error("other data is the same input")
	}
}
