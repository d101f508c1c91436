package terraform_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/account/export"
	"github.com/slipway-cd/slipway/internal/account/export/exporttest"
	"github.com/slipway-cd/slipway/internal/account/terraform"
	"github.com/slipway-cd/slipway/internal/fault"
)

func exported(t *testing.T, s account.Set) []export.File {
	t.Helper()
	files, err := terraform.Export(s)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestExport_Golden: the files, and that `tofu fmt` would leave them as they are.
func TestExport_Golden(t *testing.T) {
	files := exported(t, exporttest.Retail())
	exporttest.Golden(t, files)
	for _, f := range files {
		if strings.HasSuffix(f.Name, ".tf") {
			if diff := cmp.Diff(string(hclwrite.Format([]byte(f.Text))), f.Text); diff != "" {
				t.Errorf("%s is not as `tofu fmt` writes it (-fmt +got):\n%s", f.Name, diff)
			}
		}
	}
}

// TestExport_MeansTheSet: the policies that come out are those of the set.
func TestExport_MeansTheSet(t *testing.T) {
	s := exporttest.Retail()
	m := parse(t, exported(t, s))
	if problems := m.check(t); len(problems) > 0 {
		t.Fatal(problems)
	}
	documents := 0
	for _, address := range m.order {
		r, ok := m.resourceOf(t, s, address)
		if !ok {
			continue
		}
		for argument, want := range documentsOf(address, r) {
			raw, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(normal(t, string(raw)), normal(t, m.evaluated(t, s, argument))); diff != "" {
				t.Errorf("%s (-set +export):\n%s", argument, diff)
			}
			documents++
		}
	}
	if documents != 6 {
		t.Errorf("%d documents were compared, want two policies, and trust and rights of two roles", documents)
	}
}

// documentsOf are the policies of a resource, by the arguments that have them.
func documentsOf(address string, r account.Resource) map[string]account.Document {
	switch spec := r.Spec.(type) {
	case account.Policy:
		return map[string]account.Document{address + ".policy": spec.Document}
	case account.Role:
		return map[string]account.Document{address + ".assume_role_policy": spec.Trust, strings.Replace(address, "aws_iam_role.", "aws_iam_role_policy.", 1) + ".policy": spec.Rights}
	}
	return nil
}

func normal(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// TestExport_Unknown: nothing is left out silently.
func TestExport_Unknown(t *testing.T) {
	s := account.Set{Resources: []account.Resource{{Kind: "queue", Name: "q", Spec: struct{}{}}}}
	if _, err := terraform.Export(s); !fault.Is(err, fault.Internal) || !strings.Contains(err.Error(), "queue q") {
		t.Errorf("got %v, want an internal error that names the queue", err)
	}
}

// TestCheck_PlantedMistakes: the check of these tests finds what it is there for.
func TestCheck_PlantedMistakes(t *testing.T) {
	for _, c := range []struct{ name, old, planted, want string }{
		{"argument", "client_id_list", "client_ids_list", "aws_iam_openid_connect_provider.gitlab_example_com: no argument client_ids_list"},
		{"missing argument", `  name                 = "mlops/retail-api"` + "\n", "", "aws_ecr_repository.mlops_retail_api: name is missing"},
		{"type", "retention_in_days = 90", `retention_in_days = ["90"]`, "aws_cloudwatch_log_group.slipway_retail: retention_in_days is no number"},
		{"block", "image_scanning_configuration {", "image_scan_configuration {", "no block image_scan_configuration"},
		{"resource", `"aws_sns_topic" "`, `"aws_sns_topics" "`, "no resource aws_sns_topics"},
		{"reference", "aws_s3_bucket.retail_ml.id", "aws_s3_bucket.retail_nl.id", "aws_s3_bucket.retail_nl is not declared"},
		{"attribute of a reference", "aws_s3_bucket.retail_ml.id", "aws_s3_bucket.retail_ml.di", "aws_s3_bucket.retail_ml has no di"},
		{"computed", `url            = "https://gitlab.example.com"`, `url            = "https://gitlab.example.com"` + "\n  arn = \"x\"", "arn can only be read"},
		{"twice", `"retail_ml_2"`, `"retail_ml"`, "aws_s3_bucket.retail_ml is declared twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := exported(t, exporttest.Retail())
			found := false
			for i, f := range files {
				if text := strings.Replace(f.Text, c.old, c.planted, 1); text != f.Text && strings.HasSuffix(f.Name, ".tf") {
					files[i].Text, found = text, true
				}
			}
			if !found {
				t.Fatalf("nothing to plant it in: %s", c.old)
			}
			if got := strings.Join(parse(t, files).check(t), "\n"); !strings.Contains(got, c.want) {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}
