package step_test

import (
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

func TestBuildParams_InputsDigest(t *testing.T) {
	base := func() step.BuildParams {
		return step.BuildParams{
			Dockerfile: "Dockerfile", Repository: "mlops/api", Args: map[string]string{"A": "1"}, Secrets: map[string]string{"pip": "${PIP}"},
		}
	}
	digestOf := func(t *testing.T, service string, files delivery.Digest, p step.BuildParams) delivery.Digest {
		t.Helper()
		d, err := p.InputsDigest(service, files)
		if err != nil || !d.Valid() {
			t.Fatalf("InputsDigest = %q, error = %v, want a digest", d, err)
		}
		return d
	}
	want := digestOf(t, "api", fake.Digest(1), base())
	if again := digestOf(t, "api", fake.Digest(1), base()); again != want {
		t.Errorf("InputsDigest = %s, then %s", want, again)
	}
	for name, c := range map[string]struct {
		change func(p *step.BuildParams)
		same   bool
	}{
		"another repository": {func(p *step.BuildParams) { p.Repository = "registry.example.com/api" }, true},
		"another cache":      {func(p *step.BuildParams) { p.Cache = "registry.example.com/cache" }, true},
		"no look-up":         {func(p *step.BuildParams) { p.NoLookup = true }, true},
		"another argument":   {func(p *step.BuildParams) { p.Args["A"] = "2" }, false},
		"another stage":      {func(p *step.BuildParams) { p.Target = "small" }, false},
		"another secret":     {func(p *step.BuildParams) { p.Secrets["npm"] = "${NPM}" }, false},
		"other platforms":    {func(p *step.BuildParams) { p.Platforms = []string{"linux/riscv64"} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := base()
			c.change(&p)
			if got := digestOf(t, "api", fake.Digest(1), p); (got == want) != c.same {
				t.Errorf("InputsDigest = %s, before %s, want same = %v", got, want, c.same)
			}
		})
	}
	if got := digestOf(t, "other", fake.Digest(1), base()); got == want {
		t.Error("another service has the same digest")
	}
	if got := digestOf(t, "api", fake.Digest(2), base()); got == want {
		t.Error("other files have the same digest")
	}
	if tag := step.InputsTag(want); tag != "inputs-"+want.Hex()[:32] || strings.Contains(tag, ":") {
		t.Errorf("InputsTag = %q", tag)
	}
}

func TestBuildParams_Reproducible(t *testing.T) {
	for name, c := range map[string]struct {
		params step.BuildParams
		want   bool
	}{
		"go":         {step.BuildParams{Go: "./cmd/api"}, true},
		"dockerfile": {step.BuildParams{Dockerfile: "Dockerfile"}, false},
		"other kind": {step.BuildParams{Kind: "nix"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.params.Reproducible(); got != c.want {
				t.Errorf("Reproducible = %v, want %v", got, c.want)
			}
		})
	}
}
