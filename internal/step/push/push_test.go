package push

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

func request(said *[]string) step.Request {
	built, _ := json.Marshal(step.BuildOutput{BuiltImage: port.BuiltImage{Digest: fake.Digest(1), Layout: "/layout"}})
	return step.Request{
		Run: "20260102-030405-abcd", Commit: delivery.Commit{SHA: strings.Repeat("a", 40)},
		Spec:       step.Spec{Name: "push", Params: json.RawMessage(`{"repository":"mlops/api"}`)},
		Inputs:     map[string]json.RawMessage{"build": built},
		OnProgress: func(s string) { *said = append(*said, s) },
	}
}

func TestRun(t *testing.T) {
	var said []string
	s := Step{Images: &fake.ImageStore{}}
	res, err := s.Run(t.Context(), request(&said))
	var out step.PushOutput
	_ = json.Unmarshal(res.Output, &out)
	want := step.PushOutput{
		Image: delivery.Image{Repository: "mlops/api", Digest: fake.Digest(1)}, Tag: "build-20260102-030405-abcd-aaaaaaa",
		Reference: "localhost/mlops/api@" + string(fake.Digest(1)),
	}
	if diff := cmp.Diff(want, out); err != nil || diff != "" || res.Summary != want.Reference {
		t.Errorf("error = %v, summary %q, output (-want +got):\n%s", err, res.Summary, diff)
	}
	if got, want := s.Images.(*fake.ImageStore).Revisions, []string{want.Image.String() + " " + strings.Repeat("a", 40)}; !cmp.Equal(got, want) {
		t.Errorf("revisions = %q, want %q", got, want)
	}
	if strings.Join(said, "|") != "pushed 1.0 of 2.0 MB|pushed 2.0 of 2.0 MB" {
		t.Errorf("said %q", said)
	}
	if _, ok, err := s.Revalidate(t.Context(), step.Request{}, res); !ok || err != nil {
		t.Errorf("Revalidate = %v, %v, want true", ok, err)
	}
	s.Images.(*fake.ImageStore).Forget(want.Image)
	if _, ok, err := s.Revalidate(t.Context(), step.Request{}, res); ok || err != nil {
		t.Errorf("an image that is gone: %v, %v", ok, err)
	}
}

func TestRun_Errors(t *testing.T) {
	var said []string
	denied := fault.New(fault.Denied, "401").Hint("log in")
	if _, err := (Step{Images: &fake.ImageStore{Fail: denied}}).Run(t.Context(), request(&said)); !fault.Is(err, fault.Denied) || fault.HintOf(err) != "log in" {
		t.Errorf("error = %v, want %s", err, fault.Denied)
	}
	other := &fake.ImageStore{Respond: func(i delivery.Image) delivery.Image { i.Digest = fake.Digest(2); return i }}
	if _, err := (Step{Images: other}).Run(t.Context(), request(&said)); !fault.Is(err, fault.Corrupt) {
		t.Errorf("another image arrived: %v", err)
	}
	r := request(&said)
	r.Inputs = nil
	if _, err := (Step{Images: &fake.ImageStore{}}).Run(t.Context(), r); !fault.Is(err, fault.Internal) {
		t.Errorf("nothing built: %v", err)
	}
	cached := step.Result{Output: json.RawMessage(`{"image":{"repository":"a","digest":"` + string(fake.Digest(1)) + `"}}`)}
	if _, ok, err := (Step{Images: &fake.ImageStore{Fail: errors.New("down")}}).Revalidate(t.Context(), r, cached); ok || err == nil {
		t.Errorf("a registry that does not answer: %v, %v", ok, err)
	}
}

// TestRun_ExistingImage: an image that the build step found is not uploaded.
func TestRun_ExistingImage(t *testing.T) {
	images := &fake.ImageStore{}
	img := delivery.Image{Repository: "mlops/api", Digest: fake.Digest(1)}
	if _, err := images.Push(t.Context(), "", img, "first", nil); err != nil {
		t.Fatal(err)
	}
	var said []string
	r := request(&said)
	built, err := json.Marshal(step.BuildOutput{BuiltImage: port.BuiltImage{Digest: img.Digest}, Inputs: fake.Digest(2), Existing: true})
	if err != nil {
		t.Fatal(err)
	}
	r.Inputs["build"] = built
	r.Spec.Params = json.RawMessage(`{"repository":"mlops/api","tag_inputs":true}`)
	if _, err := (Step{Images: images}).Run(t.Context(), r); err != nil || len(said) > 0 {
		t.Fatalf("error = %v, uploaded %q, want nothing", err, said)
	}
	for _, tag := range []string{"build-20260102-030405-abcd-aaaaaaa", step.InputsTag(fake.Digest(2))} {
		if got, ok, err := images.Find(t.Context(), img.Repository, tag); !ok || err != nil || got != img {
			t.Errorf("%s names %v, %v, error = %v, want %v", tag, got, ok, err, img)
		}
	}
	images.Forget(img)
	if _, err := (Step{Images: images}).Run(t.Context(), r); !fault.Is(err, fault.NotFound) || fault.HintOf(err) == "" {
		t.Errorf("push of an image that disappeared: error = %v, want %s, with a hint", err, fault.NotFound)
	}
}

// TestRun_TagsInputs: the first image of the same inputs keeps their tag, until it
// is built again on purpose.
func TestRun_TagsInputs(t *testing.T) {
	images := &fake.ImageStore{}
	inputs := fake.Digest(2)
	for _, c := range []struct {
		digest, want delivery.Digest
		params       string
	}{
		{fake.Digest(5), "", `{"repository":"mlops/api"}`},
		{fake.Digest(1), fake.Digest(1), `{"repository":"mlops/api","tag_inputs":true}`},
		{fake.Digest(3), fake.Digest(1), `{"repository":"mlops/api","tag_inputs":true}`},
		{fake.Digest(4), fake.Digest(4), `{"repository":"mlops/api","tag_inputs":true,"rebuild":true}`},
	} {
		var said []string
		r := request(&said)
		r.Spec.Params = json.RawMessage(c.params)
		built, err := json.Marshal(step.BuildOutput{BuiltImage: port.BuiltImage{Digest: c.digest, Layout: "/layout"}, Inputs: inputs})
		if err != nil {
			t.Fatal(err)
		}
		r.Inputs["build"] = built
		if _, err := (Step{Images: images}).Run(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if got, ok, err := images.Find(t.Context(), "mlops/api", step.InputsTag(inputs)); ok != (c.want != "") || err != nil || got.Digest != c.want {
			t.Errorf("after the push of %s: tag names %v, %v, error = %v, want %s", c.digest, got, ok, err, c.want)
		}
	}
}
