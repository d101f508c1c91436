package config_test

import (
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/catalog"
	"github.com/slipway-cd/slipway/internal/config"
)

// TestLoad_Example proves that the file people copy from is one.
func TestLoad_Example(t *testing.T) {
	p, err := config.Load("../../examples/retail/slipway.yaml", none, catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	if p.Model == nil || p.Model.Train == nil || len(p.Environments) == 0 {
		t.Errorf("the example lacks a model or environments: %+v", p)
	}
}

// TestLoad_ExampleAWS: the one for AWS names everything in full, and its environments as
// the workshop has them.
func TestLoad_ExampleAWS(t *testing.T) {
	p, err := config.Load("../../examples/retail-aws/slipway.yaml", none, catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	const repository = "111122223333.dkr.ecr.ap-southeast-1.amazonaws.com/mlops/retail-api"
	if names := strings.Join(p.EnvironmentNames(), " "); names != "dev prod staging" || p.Image.Repository != repository || p.Model.Group != "retail-price-sensitivity-models" {
		t.Errorf("environments %s, repository %s, group %s", names, p.Image.Repository, p.Model.Group)
	}
	train := p.Model.Train
	if p.Environments["dev"].Deploys() || p.Model.TrainsWhen() != config.TrainManual || train.On == nil || train.On.Kind != "sagemaker" || !p.Model.IsHeldForPulls() {
		t.Errorf("dev deploys, or training is not manual on SageMaker: %+v", train)
	}
	if prod := p.Environments["prod"]; len(prod.Alarms) != 2 || !prod.AlarmsFrom.Synthetic {
		t.Errorf("alarms of prod: %+v", prod.Alarms)
	}
}
