package model

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func load(t *testing.T) map[string]*Service {
	t.Helper()
	all, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func value(t *testing.T, text string) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// What is called is listed once: each operation has a model, and no other is kept.
func TestLoad_IsWhatOperationsLists(t *testing.T) {
	all := load(t)
	for _, want := range []struct {
		service   string
		protocol  string
		operation string
	}{
		{"ecr", "json", "DescribeImages"}, {"eks", "rest-json", "DescribeCluster"}, {"sns", "query", "Publish"}, {"sts", "query", "GetCallerIdentity"},
		{"sagemaker", "json", "CreateTrainingJob"}, {"s3", "rest-xml", "PutObject"}, {"cloudwatch", "smithy-rpc-v2-cbor", "DescribeAlarms"}, {"logs", "json", "PutLogEvents"},
	} {
		s := all[want.service]
		if s == nil || s.Metadata.Protocol != want.protocol || !slices.Contains(s.Names(), want.operation) {
			t.Errorf("%s: %+v, want protocol %s and operation %s", want.service, s, want.protocol, want.operation)
		}
	}
	for name, s := range all {
		for _, op := range s.Operations {
			for _, ref := range []*Ref{op.Input, op.Output} {
				if ref != nil && s.Shapes[ref.Shape].Type != "structure" {
					t.Errorf("%s.%s: shape %s is not in the model", name, op.Name, ref.Shape)
				}
			}
		}
	}
}

func TestValidate(t *testing.T) {
	all := load(t)
	good := `{"TrainingJobName": "a", "RoleArn": "arn:aws:iam::111122223333:role/r", "AlgorithmSpecification": {"TrainingInputMode": "File", "TrainingImage": "i"},
	  "OutputDataConfig": {"S3OutputPath": "s3://b/p"}, "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 5}, "StoppingCondition": {"MaxRuntimeInSeconds": 60}}`
	for _, tt := range []struct {
		name, service, shape, value string
		want                        string // empty: nothing is wrong
	}{
		{"a job", "sagemaker", "CreateTrainingJobRequest", good, ""},
		{"a required member is missing", "sagemaker", "CreateTrainingJobRequest", strings.Replace(good, `"RoleArn": "arn:aws:iam::111122223333:role/r",`, "", 1), "$: RoleArn is required"},
		{"an unknown member", "sagemaker", "CreateTrainingJobRequest", strings.Replace(good, `"InstanceCount"`, `"InstancesCount"`, 1), "unknown member InstancesCount"},
		{"not in the enumeration", "sagemaker", "CreateTrainingJobRequest", strings.Replace(good, "ml.m5.xlarge", "m5.xlarge", 1), `"m5.xlarge" is not one of`},
		{"a pattern", "sagemaker", "CreateTrainingJobRequest", strings.Replace(good, "s3://b/p", "http://b", 1), `"http://b" does not match`},
		{"a maximum", "sagemaker", "CreateTrainingJobRequest", strings.Replace(good, `"a"`, `"`+strings.Repeat("a", 64)+`"`, 1), "64 is more than 63"},
		{"a minimum", "sagemaker", "CreateTrainingJobRequest", strings.Replace(good, `"InstanceCount": 1`, `"InstanceCount": -1`, 1), "-1 is less than 0"},
		{"not a number", "sagemaker", "CreateTrainingJobRequest", strings.Replace(good, `"InstanceCount": 1`, `"InstanceCount": "1"`, 1), "not a number"},
		{"a list", "ecr", "DescribeImagesRequest", `{"repositoryName": "a/b", "imageIds": [{"imageDigest": "x"}, 1]}`, "imageIds[1]: not a structure"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wrong := strings.Join(all[tt.service].Validate("$", tt.shape, value(t, tt.value)), "\n")
			if tt.want == "" && wrong != "" || !strings.Contains(wrong, tt.want) {
				t.Errorf("%q, want %q", wrong, tt.want)
			}
		})
	}
}

// Look-arounds are beyond Go's patterns; a new one of them is worth a look.
func TestPattern_Unsupported(t *testing.T) {
	var left []string
	for service, s := range load(t) {
		for name, shape := range s.Shapes {
			if shape.Pattern == "" {
				continue
			}
			if _, err := pattern(shape.Pattern); err != nil {
				left = append(left, service+"."+name)
			}
		}
	}
	slices.Sort(left)
	if want := []string{"sagemaker.ArnOrName", "sagemaker.AthenaCatalog", "sagemaker.MetricsEndpointPath", "sagemaker.VersionedArnOrName"}; !slices.Equal(left, want) {
		t.Errorf("patterns that are not checked: %q, want %q", left, want)
	}
}

func TestErrorStatus(t *testing.T) {
	ecr := load(t)["ecr"]
	if status, ok := ecr.ErrorStatus(ecr.Operations["DescribeImages"], "ImageNotFoundException"); status != 400 || !ok {
		t.Errorf("ImageNotFoundException: %d, %t", status, ok)
	}
	if _, ok := ecr.ErrorStatus(ecr.Operations["DescribeImages"], "ScanNotFoundException"); ok {
		t.Error("DescribeImages has no ScanNotFoundException")
	}
}
