package plan_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/step"
)

// A price changes no model: what was trained before is found again. The instances may.
func TestNew_TrainKey(t *testing.T) {
	key := func(replace ...string) delivery.Digest {
		t.Helper()
		text := strings.NewReplacer("version: 1\n", "version: 1\naws: {account: \"111122223333\", region: ap-southeast-1}\n",
			"train: {run", "train: {on: {sagemaker: {role: \"arn:aws:iam::111122223333:role/t\", image: python, instances: [ml.m5.large], bucket: ml1, price: {ml.m5.large: 0.30 USD}}}, run").Replace(file)
		p, err := plan.New(project(t, strings.NewReplacer(replace...).Replace(text)), plan.Trigger{Event: plan.PushEvent, Branch: "main", Retrain: true}, facts())
		if err != nil {
			t.Fatal(err)
		}
		s := p.Steps[slices.IndexFunc(p.Steps, func(s step.Spec) bool { return s.Kind == step.Train })]
		if w, err := step.ParamsOf[step.TrainParams](s); err != nil || !json.Valid(w.On.Section) {
			t.Fatalf("parameters %+v, error = %v", w, err)
		}
		k, err := step.CacheKey(s, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	first := key()
	if other := key("0.30 USD", "0.35 USD"); other != first {
		t.Error("another price is another key")
	}
	if other := key(", price: {ml.m5.large: 0.30 USD}", ""); other != first {
		t.Error("no price is another key")
	}
	if other := key("[ml.m5.large]", "[ml.m5.xlarge]"); other == first {
		t.Error("other instances are the same key")
	}
}
