package config_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/catalog"
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
)

const overriding = `version: 1
service: api
image: {build: {go: .}, repository: api}
model:
  group: prices
  data: [data.csv]
  train: {run: "train {{.Data}} {{.Output}}", env: {A: "1", B: "2"}, timeout: 1h}
  evaluate: {run: "evaluate {{.Data}} {{.Model}} {{.Metrics}}", gates: ["accuracy >= 0.8"]}
deploy:
  env: {A: "1"}
  smoke: [{name: common, get: /}]
environments:
  plain: {target: {local: {}}}
  dev: {until: build}
  staging:
    target: {local: {}}
    model: {train: {env: {B: "3"}, timeout: 2m}, approve: auto, gates: ["accuracy >= 0.7"]}
    deploy: {env: {B: "2"}, args: [], replicas: 2, cpu: 0, memory: 1Ki, smoke: [{name: own, get: /own}]}
  prod:
    target: {kubernetes: {context: c, namespace: n, registry: "127.0.0.1:5000"}}
    model: {train: false}
    deploy: {manifests: [k8s/prod], values: [prod.yaml]}
`

func parse(t *testing.T, text string) config.Project {
	t.Helper()
	p, err := config.Parse("slipway.yaml", []byte(text), none, catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProject_In(t *testing.T) {
	p := parse(t, overriding)
	common := *p.Model
	t.Run("nothing differs", func(t *testing.T) {
		if diff := cmp.Diff(common, *p.In("plain").Model, cmp.Comparer(func(a, b *config.Python) bool { return a == b })); diff != "" {
			t.Errorf("model (-want +got):\n%s", diff)
		}
		if got := p.In("plain").Deploy.Smoke; len(got) != 1 || got[0].Name != "common" {
			t.Errorf("smoke checks %+v, want the common one", got)
		}
	})
	t.Run("merged", func(t *testing.T) {
		m := p.In("staging").Model
		if diff := cmp.Diff(map[string]string{"A": "1", "B": "3"}, m.Train.Env); diff != "" {
			t.Errorf("env (-want +got):\n%s", diff)
		}
		if m.Train.Run != common.Train.Run || m.Train.Timeout != delivery.Duration(2*time.Minute) || !m.AutoApprove() {
			t.Errorf("train %+v, approve %q; want the common command with the environment's timeout and approval", m.Train, m.Approve)
		}
		if diff := cmp.Diff([]string{"accuracy >= 0.7"}, m.Evaluate.Gates); diff != "" {
			t.Errorf("gates (-want +got):\n%s", diff)
		}
		if got := p.In("staging").Deploy.Smoke; len(got) != 1 || got[0].Name != "own" {
			t.Errorf("smoke checks %+v, want the environment's", got)
		}
	})
	t.Run("does not train", func(t *testing.T) {
		if m := p.In("prod").Model; m.Train != nil || m.Evaluate != nil || m.Data != nil || m.Group != "prices" {
			t.Errorf("model %+v, want only its group", m)
		}
	})
	t.Run("changes nothing in the common section", func(t *testing.T) {
		if diff := cmp.Diff(map[string]string{"A": "1", "B": "2"}, p.Model.Train.Env); diff != "" || p.Model.Train.Timeout != delivery.Duration(time.Hour) {
			t.Errorf("train %+v (-want +got):\n%s", p.Model.Train, diff)
		}
	})
}

func TestEnvironment_Overrides(t *testing.T) {
	two, none, memory := 2, 0.0, int64(1024)
	p := parse(t, overriding)
	for name, want := range map[delivery.Environment]delivery.Overrides{
		"plain":   {},
		"dev":     {},
		"staging": {Env: map[string]string{"B": "2"}, Args: []string{}, Replicas: &two, CPU: &none, Memory: &memory},
		"prod":    {Manifests: []string{"k8s/prod"}, Values: []string{"prod.yaml"}},
	} {
		t.Run(string(name), func(t *testing.T) {
			got := p.Environments[name].Overrides()
			if diff := cmp.Diff(want, got); diff != "" || got.IsZero() != want.IsZero() {
				t.Errorf("overrides (-want +got):\n%s", diff)
			}
		})
	}
}

// Where an environment is in AWS is in its location, so that a stored plan is whole.
func TestParse_AWS(t *testing.T) {
	text, err := os.ReadFile("testdata/valid/aws.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p := parse(t, string(text))
	for env, want := range map[delivery.Environment]string{
		"staging": `{"account":"111122223333","cluster":"mlops-retail-cluster","namespace":"mlops-staging","region":"ap-southeast-1"}`,
		"prod":    `{"account":"444455556666","cluster":"mlops-retail-cluster","namespace":"mlops","region":"ap-southeast-1","role":"arn:aws:iam::444455556666:role/deploy-prod"}`,
	} {
		got, err := json.Marshal(p.Environments[env].Target.Location)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", env, diff)
		}
	}
}

// ARNs are as long as IAM allows: a role with a path of 512 characters and a name of 64, a
// topic with a name of 256.
func TestParse_LongARNs(t *testing.T) {
	text, err := os.ReadFile("testdata/valid/aws.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path, name := strings.Repeat("deployments/", 42)+"prod-00", strings.Repeat("r", 64)
	with := func(role, topic string) error {
		long := strings.NewReplacer("role/deploy-prod", "role/"+role, ":releases", ":"+topic).Replace(string(text))
		_, err := config.Parse("slipway.yaml", []byte(long), none, catalog.Default())
		return err
	}
	if err := with(path[:510]+"/"+name, strings.Repeat("t", 256)); err != nil {
		t.Error(err)
	}
	if err := with(path[:510]+"/r"+name, "releases"); err == nil || !strings.Contains(err.Error(), "role") {
		t.Errorf("error = %v, want one about the role", err)
	}
	if err := with("deploy", strings.Repeat("t", 257)); err == nil || !strings.Contains(err.Error(), "sns") {
		t.Errorf("error = %v, want one about the topic", err)
	}
}

// The repository is the full name, whoever has the credentials.
func TestParse_Registry(t *testing.T) {
	for _, tt := range []struct{ aws, registry, repository, want string }{
		{`aws: {account: "111122223333", region: ap-southeast-1}`, "ecr", "mlops/retail-api", "111122223333.dkr.ecr.ap-southeast-1.amazonaws.com/mlops/retail-api"},
		{`aws: {account: "111122223333", region: cn-north-1}`, "ecr", "api", "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn/api"},
		{"", "embedded", "mlops/retail-api", "mlops/retail-api"},
		{"", "registry.example.com:5000", "mlops/retail-api", "registry.example.com:5000/mlops/retail-api"},
		{"", "localhost:5000", "api", "localhost:5000/api"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			text := "version: 1\nservice: api\n" + tt.aws + "\nimage: {build: {go: .}, registry: \"" + tt.registry + "\", repository: " + tt.repository + "}\nenvironments: {prod: {target: {local: {}}}}\n"
			if got := parse(t, text).Image.Repository; got != tt.want {
				t.Errorf("%q", got)
			}
		})
	}
}

// An environment may keep its images elsewhere, in its own account too.
func TestProject_In_Registry(t *testing.T) {
	p := parse(t, `version: 1
service: api
aws: {account: "111122223333", region: ap-southeast-1}
image: {build: {go: .}, registry: ecr, repository: mlops/retail-api}
environments:
  dev: {image: {registry: embedded}, target: {local: {}}}
  staging: {image: {registry: ecr}, aws: {account: "444455556666"}, target: {local: {}}}
  prod: {aws: {account: "444455556666"}, target: {local: {}}}
`)
	for env, want := range map[delivery.Environment]string{
		"dev": "mlops/retail-api", "staging": "444455556666.dkr.ecr.ap-southeast-1.amazonaws.com/mlops/retail-api", "prod": "111122223333.dkr.ecr.ap-southeast-1.amazonaws.com/mlops/retail-api",
	} {
		if got := p.In(env).Image.Repository; got != want {
			t.Errorf("%s: %q, want %q", env, got, want)
		}
	}
}

// Where an environment has a registry of its own, its role pushes there.
func TestProject_RegistryRoles(t *testing.T) {
	p := parse(t, `version: 1
service: api
aws: {account: "111122223333", region: ap-southeast-1}
image: {build: {go: .}, registry: ecr, repository: mlops/retail-api}
environments:
  common: {aws: {role: "arn:aws:iam::111122223333:role/deploy"}, target: {local: {}}}
  own: {image: {registry: ecr}, aws: {account: "444455556666", role: "arn:aws:iam::444455556666:role/deploy"}, target: {local: {}}}
  same: {image: {registry: ecr}, aws: {account: "444455556666", role: "arn:aws:iam::444455556666:role/deploy"}, target: {local: {}}}
  one: {image: {registry: ecr}, aws: {account: "777788889999", role: "arn:aws:iam::777788889999:role/one"}, target: {local: {}}}
  two: {image: {registry: ecr}, aws: {account: "777788889999", role: "arn:aws:iam::777788889999:role/two"}, target: {local: {}}}
  none: {image: {registry: ecr}, aws: {account: "999900001111"}, target: {local: {}}}
`)
	want := map[string]string{"444455556666.dkr.ecr.ap-southeast-1.amazonaws.com": "arn:aws:iam::444455556666:role/deploy"}
	if diff := cmp.Diff(want, p.RegistryRoles()); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
}

// A registry of models that reads images in Docker's format makes it that of the project,
// in all environments.
func TestParse_Docker(t *testing.T) {
	kinds := catalog.Default()
	kinds.ModelRegistries = append(kinds.ModelRegistries, extension.ModelRegistry{Kind: "reads-docker", ReadsDockerImages: true})
	for _, tt := range []struct {
		registry, build string
		docker          bool
		err             string
	}{
		{"embedded", "go: .", false, ""},
		{"{sagemaker: {storage: s3://mlops-models/slipway}}", "go: .", true, ""},
		{"reads-docker", "go: .", true, ""},
		{"reads-docker", "dockerfile: Dockerfile, platforms: [linux/arm64, linux/amd64]", true, ""},
		{"reads-docker", "dockerfile: Dockerfile, platforms: [linux/arm64]", true, "linux/amd64 only"},
	} {
		text := "version: 1\nservice: api\naws: {region: ap-southeast-1}\nimage: {build: {" + tt.build + "}, repository: api}\nmodel: {group: m, registry: " + tt.registry + "}\nenvironments: {prod: {target: {local: {}}}}\n"
		p, err := config.Parse("slipway.yaml", []byte(text), none, kinds)
		if (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s, %s: %v, want %q", tt.registry, tt.build, err, tt.err)
		}
		if err == nil && p.Image.Docker != tt.docker {
			t.Errorf("%s, %s: Docker is %t", tt.registry, tt.build, p.Image.Docker)
		}
	}
}

// A training on SageMaker makes it that of the project, too, but only if it runs in the
// project's own image.
func TestParse_DockerForTraining(t *testing.T) {
	const host = "111122223333.dkr.ecr.ap-southeast-1.amazonaws.com"
	for image, want := range map[string]bool{
		host + "/mlops/retail-api:1.4":                                       true,
		host + "/mlops/retail-api@sha256:" + strings.Repeat("a", 64):         true,
		host + "/mlops/retail-api":                                           true,
		host + "/mlops/train:1.4":                                            false,
		"763104351884.dkr.ecr.ap-southeast-1.amazonaws.com/pytorch:2.6":      false,
		"444455556666.dkr.ecr.ap-southeast-1.amazonaws.com/mlops/retail-api": true, // of staging
	} {
		p, err := config.Parse("slipway.yaml", []byte(`version: 1
service: api
aws: {account: "111122223333", region: ap-southeast-1}
image: {build: {go: .}, registry: ecr, repository: mlops/retail-api}
model:
  group: prices
  train:
    run: python train.py {{.Output}}
    on: {sagemaker: {role: "arn:aws:iam::111122223333:role/training", image: "`+image+`", instances: [ml.m5.xlarge], bucket: retail-ml}}
  evaluate: {from: train}
environments:
  staging: {target: {local: {}}, image: {registry: ecr}, aws: {account: "444455556666"}}
  prod: {target: {local: {}}}
`), none, catalog.Default())
		if err != nil || p.Image.Docker != want {
			t.Errorf("%s: Docker is %t, want %t (%v)", image, p.Image.Docker, want, err)
		}
	}
}

// Data in S3 is an object, or a prefix with a slash at its end, in the region of aws.
func TestParse_Datasets(t *testing.T) {
	for data, want := range map[string]string{
		"s3://retail-ml/train/a.csv": "", "s3://retail-ml/train/": "", "s3://retail-ml/": "", "data/a.csv": "",
		"s3://retail-ml": "invalid value", "s3://B/a": "invalid value", "s3://retail-ml/a/../b": "invalid value", "s3://retail-ml//a": "invalid value",
		"gs://retail-ml/a": "invalid value", "s3://retail-ml/a?versionId=1": "invalid value",
	} {
		for _, region := range []string{"region: ap-southeast-1", ""} {
			text := "version: 1\nservice: api\naws: {" + region + "}\nimage: {build: {go: .}, repository: api}\nmodel:\n  group: prices\n  data: [\"" + data + "\"]\n  train: {run: \"train {{.Data}} {{.Output}}\"}\n  evaluate: {from: train}\nenvironments: {prod: {target: {local: {}}}}\n"
			p, err := config.Parse("slipway.yaml", []byte(text), none, catalog.Default())
			wrong := want
			if region == "" && wrong == "" && config.IsDataset(data) {
				wrong = "the region of AWS is not set"
			}
			if (err != nil) != (wrong != "") || err != nil && !strings.HasPrefix(err.Error(), "slipway.yaml:7:11: model.data[0]: "+wrong) {
				t.Errorf("%s, %q: %v, want %q", data, region, err, wrong)
			}
			if at, locationErr := p.DataLocation(); err == nil && config.IsDataset(data) && (locationErr != nil || at.IsZero()) {
				t.Errorf("%s is at %v, %v", data, at, locationErr)
			}
		}
	}
}

// A registry that needs settings is no bare word: the error says where it stands, and
// what form it has.
func TestParse_RegistryWithoutSettings(t *testing.T) {
	_, err := config.Parse("slipway.yaml", []byte("version: 1\nservice: api\naws: {region: ap-southeast-1}\nimage: {build: {go: .}, repository: api}\nmodel:\n  group: prices\n  registry: sagemaker\nenvironments: {prod: {target: {local: {}}}}\n"), none, catalog.Default())
	if err == nil || !strings.HasPrefix(err.Error(), "slipway.yaml:7:13: model.registry: sagemaker needs settings") || !strings.Contains(fault.HintOf(err), "registry: {sagemaker: {storage: s3://mlops-models/slipway}}") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
}
