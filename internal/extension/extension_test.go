package extension_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

func TestSecretsOf_FindsThemByType(t *testing.T) {
	type inner struct{ Token extension.Secret }
	section := &struct {
		URL    extension.Secret
		Plain  string
		Map    map[string]extension.Secret
		List   []inner
		Nested *inner
		None   *inner
		Any    any
	}{
		URL: "${URL}", Plain: "${NOT}", Map: map[string]extension.Secret{"a": "${A}", "b": ""},
		List: []inner{{"${L}"}}, Nested: &inner{"${N}"}, Any: inner{"${ANY}"},
	}
	got := extension.SecretsOf(section)
	slices.Sort(got)
	want := []extension.Secret{"${ANY}", "${A}", "${L}", "${N}", "${URL}"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
	if got := extension.SecretsOf(nil); got != nil {
		t.Errorf("secrets of no section: %q", got)
	}
}

func TestSecret_IsReference(t *testing.T) {
	for text, want := range map[extension.Secret]bool{
		"${NAME}": true, "${_a1}": true, "x": false, "": false, "${NAME}x": false, "${1}": false, "${NAME": false, "${NAME:-x}": false, "${A}${B}": false,
	} {
		t.Run(string(text), func(t *testing.T) {
			if got := text.IsReference(); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestSet_Validate(t *testing.T) {
	scanner := extension.Scanner{Kind: "a", New: func(extension.Host) (port.Scanner, error) { return nil, nil }}
	newStep := func(extension.Ports) step.Step { return nil }
	for name, c := range map[string]struct {
		set  extension.Set
		want string
	}{
		"consistent":           {extension.Set{Scanners: []extension.Scanner{scanner}, Steps: []extension.Step{{Kind: "a", New: newStep}}}, ""},
		"twice":                {extension.Set{Scanners: []extension.Scanner{scanner, scanner}}, `scanner "a" is duplicated`},
		"without kind":         {extension.Set{Steps: []extension.Step{{New: newStep}}}, `step "" is incomplete`},
		"without constructor":  {extension.Set{Targets: []extension.Target{{Kind: "t", Section: extension.SectionOf[struct{}](nil)}}}, `target "t" is incomplete`},
		"without section":      {extension.Set{Notifiers: []extension.Notifier{{Kind: "n"}}}, `notifier "n" is incomplete`},
		"command without name": {extension.Set{Builders: []extension.Builder{{Kind: "b", Commands: []extension.Command{{}}}}}, `command "" is incomplete`},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.set.Validate()
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !fault.Is(err, fault.Internal) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestSet_DefaultKinds(t *testing.T) {
	set := extension.Set{
		ModelRegistries: []extension.ModelRegistry{{Kind: "first"}, {Kind: "second"}},
		JobRunners:      []extension.JobRunner{{Kind: "here"}},
	}
	registry, err := set.ModelRegistry("")
	if err != nil || registry.Kind != "first" {
		t.Errorf("registry %q (%v), want the first", registry.Kind, err)
	}
	runner, err := set.JobRunner("")
	if err != nil || runner.Kind != "here" {
		t.Errorf("runner %q (%v), want the first", runner.Kind, err)
	}
	if _, err := (extension.Set{}).ModelRegistry(""); !fault.Is(err, fault.Invalid) {
		t.Errorf("without registries: %v, want %s", err, fault.Invalid)
	}
}
