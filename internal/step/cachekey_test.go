package step_test

import (
	"encoding/json"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/step"
)

func TestCacheKey(t *testing.T) {
	base := func() (step.Spec, string, map[string]json.RawMessage) {
		return step.Spec{
				Name: "push", Kind: step.Push, Needs: []string{"build"}, Cacheable: true,
				Params: json.RawMessage(`{"repository":"retail","size":1}`),
				Inputs: delivery.Digest("sha256:aa"),
			}, "go1.26", map[string]json.RawMessage{
				"build": json.RawMessage(`{"digest":"sha256:bb","size":7}`),
				"other": json.RawMessage(`{"x":1}`),
			}
	}
	s, f, g := base()
	want, err := step.CacheKey(s, f, g)
	if err != nil || !want.Valid() {
		t.Fatalf("Key = %q, %v", want, err)
	}
	// Results that are in people's caches are found by this: if it changes, so
	// must keyVersion, on purpose.
	const golden = "sha256:c0e07227296a6d6c8aec98ce3629a19ef6080b75f6117e94aa6c92426314fb88"
	if want != golden {
		t.Errorf("Key = %s, want %s", want, golden)
	}
	cases := []struct {
		name   string
		change func(s *step.Spec, f *string, g map[string]json.RawMessage)
		same   bool
	}{
		{"order of keys in With", func(s *step.Spec, _ *string, _ map[string]json.RawMessage) {
			s.Params = json.RawMessage(`{ "size":1, "repository":"retail" }`)
		}, true},
		{"order of keys in an output", func(_ *step.Spec, _ *string, g map[string]json.RawMessage) {
			g["build"] = json.RawMessage(`{"size":7,"digest":"sha256:bb"}`)
		}, true},
		{"a step it does not need", func(_ *step.Spec, _ *string, g map[string]json.RawMessage) {
			g["other"] = json.RawMessage(`{"x":2}`)
		}, true},
		{"name", func(s *step.Spec, _ *string, _ map[string]json.RawMessage) { s.Name = "upload" }, true},
		{"why", func(s *step.Spec, _ *string, _ map[string]json.RawMessage) { s.Reason = "new" }, true},
		{"reads what it needs", func(s *step.Spec, _ *string, _ map[string]json.RawMessage) { s.Reads = []string{"build"} }, true},
		{"reads nothing", func(s *step.Spec, _ *string, _ map[string]json.RawMessage) { s.Reads = []string{} }, false},
		{"fresh", func(s *step.Spec, _ *string, _ map[string]json.RawMessage) { s.SkipCache = true }, true},
		{"kind", func(s *step.Spec, _ *string, _ map[string]json.RawMessage) { s.Kind = step.Build }, false},
		{"inputs", func(s *step.Spec, _ *string, _ map[string]json.RawMessage) { s.Inputs = "sha256:ab" }, false},
		{"with", func(s *step.Spec, _ *string, _ map[string]json.RawMessage) { s.Params = nil }, false},
		{"a parameter that does not count", func(s *step.Spec, _ *string, _ map[string]json.RawMessage) {
			s.Params, s.Unkeyed = json.RawMessage(`{"repository":"retail","on":{"price":"1 USD"},"size":1}`), []string{"on"}
		}, true},
		{"one that does, beside it", func(s *step.Spec, _ *string, _ map[string]json.RawMessage) {
			s.Params, s.Unkeyed = json.RawMessage(`{"repository":"retail","on":{"price":"1 USD","x":1},"size":1}`), []string{"on.price"}
		}, false},
		{"one that is not there", func(s *step.Spec, _ *string, _ map[string]json.RawMessage) {
			s.Unkeyed = []string{"on.price", "size.price"}
		}, true},
		{"fingerprint", func(_ *step.Spec, f *string, _ map[string]json.RawMessage) { *f = "go1.27" }, false},
		{"an output it needs", func(_ *step.Spec, _ *string, g map[string]json.RawMessage) {
			g["build"] = json.RawMessage(`{"digest":"sha256:bc","size":7}`)
		}, false},
		{"a need without output", func(_ *step.Spec, _ *string, g map[string]json.RawMessage) { delete(g, "build") }, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, f, g := base()
			c.change(&s, &f, g)
			got, err := step.CacheKey(s, f, g)
			if err != nil {
				t.Fatal(err)
			}
			if (got == want) != c.same {
				t.Errorf("same key = %v, want %v", got == want, c.same)
			}
		})
	}
	s, f, g = base()
	s.Reads = []string{}
	stored, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var read step.Spec
	if err := json.Unmarshal(stored, &read); err != nil || read.Reads == nil {
		t.Errorf("reading nothing is forgotten when the plan is stored: %s (%v)", stored, err)
	}
	waits, _ := step.CacheKey(read, f, g)
	g["build"] = json.RawMessage(`{"digest":"sha256:bc"}`)
	if again, _ := step.CacheKey(read, f, g); again != waits {
		t.Error("the output of a step that is only waited for changes the key")
	}
	s, f, g = base()
	s.Params = json.RawMessage(`{broken`)
	if _, err := step.CacheKey(s, f, g); err == nil {
		t.Error("broken JSON has a key")
	}
}
