package build

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

// converting is a store of images that converts.
type converting struct {
	*fake.ImageStore
	fail error
}

func (c converting) ToDocker(_ context.Context, built port.BuiltImage) (port.BuiltImage, error) {
	built.Digest = fake.Digest(9)
	return built, c.fail
}

// TestRun_Docker: what the step reports is the image in Docker's format, for amd64.
func TestRun_Docker(t *testing.T) {
	b := &fake.Builder{}
	r := request(t, &bytes.Buffer{})
	r.Spec.Params = json.RawMessage(`{"go":"./cmd/api","repository":"mlops/api","docker":true}`)
	res, err := Step{Builders: map[string]port.Builder{"go": b}, Images: converting{ImageStore: &fake.ImageStore{}}}.Run(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	var out step.BuildOutput
	if err := json.Unmarshal(res.Output, &out); err != nil || out.Digest != fake.Digest(9) || b.Built[0].Arch != "amd64" {
		t.Errorf("%+v for %q, %v", out, b.Built[0].Arch, err)
	}
	wrong := fault.New(fault.Invalid, "it is not for linux/amd64")
	if _, err := (Step{Builders: map[string]port.Builder{"go": b}, Images: converting{ImageStore: &fake.ImageStore{}, fail: wrong}}).Run(t.Context(), r); !fault.Is(err, fault.Invalid) {
		t.Errorf("another platform: %v", err)
	}
}
