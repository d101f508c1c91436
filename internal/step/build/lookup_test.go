package build

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

const dockerfileParams = `{"go":"","repository":"mlops/api","dockerfile":"Dockerfile"}`

// inputsTag is the tag of the image that the request's step would look up.
func inputsTag(t *testing.T, r step.Request) (delivery.Digest, string) {
	t.Helper()
	w, err := step.ParamsOf[step.BuildParams](r.Spec)
	if err != nil {
		t.Fatal(err)
	}
	d, err := w.InputsDigest(r.Service, r.Spec.Inputs)
	if err != nil {
		t.Fatal(err)
	}
	return d, step.InputsTag(d)
}

func builtOutput(t *testing.T, res step.Result) step.BuildOutput {
	t.Helper()
	var out step.BuildOutput
	if err := json.Unmarshal(res.Output, &out); err != nil {
		t.Fatalf("output = %s: %v", res.Output, err)
	}
	return out
}

// TestRun_LooksUpInputs: what can't be built reproducibly is taken from the
// registry if that has an image of the same inputs.
func TestRun_LooksUpInputs(t *testing.T) {
	before := delivery.Image{Repository: "mlops/api", Digest: fake.Digest(9)}
	for name, c := range map[string]struct {
		params string
		change func(r *step.Request)
		fail   error
		builds bool
	}{
		"same inputs":     {params: dockerfileParams},
		"another kind":    {params: `{"go":"","repository":"mlops/api","kind":"dockerfile","options":{"x":1}}`},
		"rebuild":         {params: dockerfileParams, change: func(r *step.Request) { r.Spec.SkipCache = true }, builds: true},
		"no look-up":      {params: `{"go":"","repository":"mlops/api","dockerfile":"Dockerfile","no_lookup":true}`, builds: true},
		"unknown inputs":  {params: dockerfileParams, change: func(r *step.Request) { r.Spec.Inputs = "" }, builds: true},
		"go":              {params: `{"go":"./cmd/api","repository":"mlops/api"}`, builds: true},
		"registry failed": {params: dockerfileParams, fail: fault.New(fault.Unavailable, "connection refused"), builds: true},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			r := request(t, &log)
			r.Spec.Params = json.RawMessage(c.params)
			inputs, tag := inputsTag(t, r)
			images, b := &fake.ImageStore{}, &fake.Builder{}
			if _, err := images.Push(t.Context(), "", before, tag, nil); err != nil {
				t.Fatal(err)
			}
			images.Fail = c.fail
			if c.change != nil {
				c.change(&r)
			}
			res, err := Step{Builders: map[string]port.Builder{"go": b, "dockerfile": b}, Images: images}.Run(t.Context(), r)
			if err != nil || res.Outcome != delivery.OutcomeSucceeded {
				t.Fatalf("outcome = %s (%q), error = %v, want %s", res.Outcome, res.Cause, err, delivery.OutcomeSucceeded)
			}
			out := builtOutput(t, res)
			if built := len(b.Built) == 1; built != c.builds || out.Existing == c.builds || (out.Digest == before.Digest) == c.builds {
				t.Errorf("built = %v, output = %+v, want built = %v", built, out, c.builds)
			}
			if r.Spec.Inputs != "" && out.Inputs != inputs {
				t.Errorf("inputs = %s, want %s", out.Inputs, inputs)
			}
			if c.fail != nil && !strings.Contains(log.String(), "connection refused; building one") {
				t.Errorf("log = %q, want the registry's error", log.String())
			}
		})
	}
}

// TestRevalidate_Existing: an image without a layout is good as long as the
// registry has it.
func TestRevalidate_Existing(t *testing.T) {
	r := request(t, &bytes.Buffer{})
	r.Spec.Params = json.RawMessage(dockerfileParams)
	_, tag := inputsTag(t, r)
	images := &fake.ImageStore{}
	before := delivery.Image{Repository: "mlops/api", Digest: fake.Digest(9)}
	if _, err := images.Push(t.Context(), "", before, tag, nil); err != nil {
		t.Fatal(err)
	}
	s := Step{Builders: map[string]port.Builder{"dockerfile": &fake.Builder{}}, Images: images}
	res, err := s.Run(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := s.Revalidate(t.Context(), r, res); !ok || err != nil {
		t.Errorf("Revalidate = %v, %v, want true", ok, err)
	}
	images.Fail = fault.New(fault.Unavailable, "connection refused")
	if _, ok, err := s.Revalidate(t.Context(), r, res); ok || err != nil {
		t.Errorf("Revalidate without a registry = %v, %v, want false", ok, err)
	}
	images.Fail = nil
	images.Forget(before)
	if _, ok, err := s.Revalidate(t.Context(), r, res); ok || err != nil {
		t.Errorf("Revalidate of a removed image = %v, %v, want false", ok, err)
	}
}

// TestRevalidate_LayoutElsewhere: an image whose layout is on another machine is good as
// long as the registry has it. It was built by this project, so it may be signed.
func TestRevalidate_LayoutElsewhere(t *testing.T) {
	r := request(t, &bytes.Buffer{})
	r.Spec.Params = json.RawMessage(dockerfileParams)
	images := &fake.ImageStore{}
	res, err := step.Succeed("", step.BuildOutput{BuiltImage: port.BuiltImage{Digest: fake.Digest(9), Size: 7, Layout: t.TempDir()}, Inputs: fake.Digest(1)})
	if err != nil {
		t.Fatal(err)
	}
	s := Step{Images: images}
	if _, ok, err := s.Revalidate(t.Context(), r, res); ok || err != nil {
		t.Errorf("without the image: Revalidate = %v, %v, want false", ok, err)
	}
	if _, err := images.Push(t.Context(), "", delivery.Image{Repository: "mlops/api", Digest: fake.Digest(9)}, "v1", nil); err != nil {
		t.Fatal(err)
	}
	got, ok, err := s.Revalidate(t.Context(), r, res)
	if !ok || err != nil {
		t.Fatalf("with the image: Revalidate = %v, %v, want true", ok, err)
	}
	var out step.BuildOutput
	if err := json.Unmarshal(got.Output, &out); err != nil || out.Layout != "" || out.Existing || out.Digest != fake.Digest(9) || out.Size != 7 {
		t.Errorf("output = %+v (error = %v), want the image without a layout", out, err)
	}
}

// TestRevalidate_OlderResult: a result of an older version gets its inputs.
func TestRevalidate_OlderResult(t *testing.T) {
	r := request(t, &bytes.Buffer{})
	s := Step{Builders: map[string]port.Builder{"go": &fake.Builder{}}}
	res, err := s.Run(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	want := builtOutput(t, res)
	old, err := json.Marshal(step.BuildOutput{BuiltImage: want.BuiltImage, Unknown: `"newer":1`})
	if err != nil {
		t.Fatal(err)
	}
	res.Output = old
	again, ok, err := s.Revalidate(t.Context(), r, res)
	if !ok || err != nil {
		t.Fatalf("Revalidate = %v, %v, want true", ok, err)
	}
	if got := builtOutput(t, again); got.Inputs != want.Inputs || got.Digest != want.Digest || !got.Inputs.Valid() {
		t.Errorf("output = %+v, want %+v", got, want)
	} else if got.Unknown != `"newer":1` {
		t.Errorf("unknown fields of the output = %q, want those of the program that wrote it", got.Unknown)
	}
}
