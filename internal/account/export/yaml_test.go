package export_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/slipway-cd/slipway/internal/account/export"
)

// TestYAML_ReadsBack: whatever is written is read as the same value.
func TestYAML_ReadsBack(t *testing.T) {
	texts := []any{"", "plain", "AWS::IAM::Role", "a: b", "a:", "#x", "x #y", "true", "No", "on", "null", "~", "1", "1e3", "0x1f", "2012-10-17", "12:30:45", "*", "&a", "!Ref", "- a", "[a]", "{a}", "a,b", "repo:o@1/r@2:environment:prod", "/slipway/retail", "${AWS::Region}", "line\nnext", `"quoted"`, "tab\t", "ü", "@x", "`x`", "%x", "a'b", "refs/tags/v*", "(none)", " padded "}
	want := map[string]any{"texts": texts, "empty": map[string]any{}, "none": []any{}, "number": 3, "flag": true,
		"nested": []any{map[string]any{"a": []any{[]any{"x"}, map[string]any{"b": "c", "d": []any{"e"}}}}}}
	got := export.YAML(export.Object{
		{Key: "texts", Value: texts}, {Key: "empty", Value: export.Object{}}, {Key: "none", Value: []any{}}, {Key: "number", Value: 3}, {Key: "flag", Value: true},
		{Key: "nested", Value: []any{export.Object{{Key: "a", Value: []any{[]any{"x"}, export.Object{{Key: "b", Value: "c"}, {Key: "d", Value: []any{"e"}}}}}}}},
	})
	var read any
	if err := yaml.Unmarshal([]byte(got), &read); err != nil {
		t.Fatalf("%v in\n%s", err, got)
	}
	if diff := cmp.Diff(normal(t, want), normal(t, read)); diff != "" {
		t.Errorf("(-want +read):\n%s\nof\n%s", diff, got)
	}
}

func normal(t *testing.T, v any) any {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}
