package cloudformation_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/account/cloudformation"
	"github.com/slipway-cd/slipway/internal/account/export"
	"github.com/slipway-cd/slipway/internal/account/export/exporttest"
	"github.com/slipway-cd/slipway/internal/fault"
)

func exported(t *testing.T, s account.Set) []export.File {
	t.Helper()
	files, err := cloudformation.Export(s)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestExport_Golden(t *testing.T) {
	exporttest.Golden(t, exported(t, exporttest.Retail()))
}

// template is one as CloudFormation reads it.
type template struct {
	Parameters map[string]struct{ Type, Default string }
	Resources  map[string]struct {
		Type, DeletionPolicy, UpdateReplacePolicy string
		Properties                                map[string]any
	}
	arns map[string]string // what references are, by logical ID
}

func read(t *testing.T, s account.Set, text string) template {
	t.Helper()
	out := template{arns: map[string]string{}}
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	for name, p := range out.Parameters {
		out.arns[name] = p.Default
	}
	for name, r := range out.Resources {
		for _, key := range []string{"BucketName", "ManagedPolicyName", "RoleName", "RepositoryName", "TopicName", "Url"} {
			for _, of := range s.Resources {
				if text, _ := r.Properties[key].(string); strings.TrimPrefix(text, "https://") == of.Name && strings.Contains(r.Type, map[account.Kind]string{
					account.KindBucket: "S3::Bucket", account.KindPolicy: "ManagedPolicy", account.KindRole: "Role", account.KindRepository: "Repository", account.KindTopic: "Topic", account.KindProvider: "OIDCProvider",
				}[of.Kind]) {
					out.arns[name] = of.ARN
				}
			}
		}
	}
	return out
}

var inSub = regexp.MustCompile(`\$\{([A-Za-z0-9]+)(\.Arn)?\}`)

// resolve replaces functions by what they return. It fails for those that lead nowhere.
func (p template) resolve(v any) (any, error) {
	arn := func(name string) (string, error) {
		if a, ok := p.arns[name]; ok {
			return a, nil
		}
		return "", fmt.Errorf("%s is not in the template", name)
	}
	switch v := v.(type) {
	case []any:
		for i := range v {
			r, err := p.resolve(v[i])
			if err != nil {
				return nil, err
			}
			v[i] = r
		}
	case map[string]any:
		if name, ok := v["Ref"].(string); ok {
			return arn(name)
		}
		if of, ok := v["Fn::GetAtt"].([]any); ok && len(of) == 2 && of[1] == "Arn" {
			return arn(fmt.Sprint(of[0]))
		}
		if text, ok := v["Fn::Sub"].(string); ok {
			var failed error
			text = inSub.ReplaceAllStringFunc(text, func(m string) string {
				a, err := arn(inSub.FindStringSubmatch(m)[1])
				if err != nil {
					failed = err
				}
				return a
			})
			return strings.ReplaceAll(text, "${!", "${"), failed
		}
		for key := range v {
			r, err := p.resolve(v[key])
			if err != nil {
				return nil, err
			}
			v[key] = r
		}
	}
	return v, nil
}

// TestExport_MeansTheSet: the policies that come out are those of the set, all functions
// resolve, and what holds data stays.
func TestExport_MeansTheSet(t *testing.T) {
	s := exporttest.Retail()
	p := read(t, s, exported(t, s)[0].Text)
	byName := map[string]map[string]any{}
	for id, r := range p.Resources {
		properties, err := p.resolve(r.Properties)
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		for _, key := range []string{"RoleName", "ManagedPolicyName"} {
			if name, ok := r.Properties[key].(string); ok {
				byName[name] = properties.(map[string]any)
			}
		}
		if holdsData := strings.Contains(r.Type, "Bucket") || strings.Contains(r.Type, "Repository") || strings.Contains(r.Type, "Group"); holdsData != (r.DeletionPolicy == "Retain") || holdsData != (r.UpdateReplacePolicy == "Retain") {
			t.Errorf("%s, %s: DeletionPolicy %q", id, r.Type, r.DeletionPolicy)
		}
	}
	compare := func(name string, want account.Document, got any) {
		t.Helper()
		raw, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var wanted any
		if err := json.Unmarshal(raw, &wanted); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wanted, got); diff != "" {
			t.Errorf("%s (-set +export):\n%s", name, diff)
		}
	}
	for _, r := range s.Resources {
		switch spec := r.Spec.(type) {
		case account.Policy:
			compare(r.Name, spec.Document, byName[r.Name]["PolicyDocument"])
		case account.Role:
			compare(r.Name, spec.Trust, byName[r.Name]["AssumeRolePolicyDocument"])
			compare(r.Name, spec.Rights, byName[r.Name]["Policies"].([]any)[0].(map[string]any)["PolicyDocument"])
			if byName[r.Name]["PermissionsBoundary"] != spec.Boundary {
				t.Errorf("%s: boundary %v, want %s", r.Name, byName[r.Name]["PermissionsBoundary"], spec.Boundary)
			}
		}
	}
}

// TestResolve_PlantedMistake: a reference that leads nowhere is found.
func TestResolve_PlantedMistake(t *testing.T) {
	s := exporttest.Retail()
	text := strings.Replace(exported(t, s)[0].Text, "[RoleRetailTraining, Arn]", "[RoleRetailTrainig, Arn]", 1)
	p := read(t, s, text)
	for _, r := range p.Resources {
		if _, err := p.resolve(r.Properties); err != nil && strings.Contains(err.Error(), "RoleRetailTrainig") {
			return
		}
	}
	t.Error("the misspelt reference was not found")
}

func TestExport_Unknown(t *testing.T) {
	s := account.Set{Resources: []account.Resource{{Kind: "queue", Name: "q", Spec: struct{}{}}}}
	if _, err := cloudformation.Export(s); !fault.Is(err, fault.Internal) || !strings.Contains(err.Error(), "queue q") {
		t.Errorf("got %v, want an internal error that names the queue", err)
	}
}
