package push

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
)

// TestRun_Tags: an image gets the tags of image.tags, and none beside its own without
// them. What can't be moved names both images.
func TestRun_Tags(t *testing.T) {
	images := &immutable{ImageStore: &fake.ImageStore{}}
	run := func(params string) error {
		var said []string
		r := request(&said)
		r.Spec.Params = json.RawMessage(params)
		_, err := Step{Images: images}.Run(t.Context(), r)
		return err
	}
	if err := run(`{"repository":"mlops/api"}`); err != nil {
		t.Fatal(err)
	}
	for _, tag := range []string{"latest", "prod"} {
		if _, ok, _ := images.Find(t.Context(), "mlops/api", tag); ok {
			t.Errorf("%s was pushed", tag)
		}
	}
	for range 2 { // the second time, there is nothing to move
		if err := run(`{"repository":"mlops/api","tags":["prod"]}`); err != nil {
			t.Fatal(err)
		}
	}
	if got, ok, err := images.Find(t.Context(), "mlops/api", "prod"); !ok || err != nil || got.Digest != fake.Digest(1) {
		t.Errorf("prod is %v, %t, %v", got, ok, err)
	}
	other := delivery.Image{Repository: "mlops/api", Digest: fake.Digest(2)}
	if _, err := images.Push(t.Context(), "", other, "stays", nil); err != nil {
		t.Fatal(err)
	}
	images.stays = true
	err := run(`{"repository":"mlops/api","tags":["stays"]}`)
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), string(fake.Digest(1))) || !strings.Contains(err.Error(), string(fake.Digest(2))) || !strings.Contains(fault.HintOf(err), "image.tags") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
}

// immutable is a registry whose tags stay, once it says so.
type immutable struct {
	*fake.ImageStore
	stays bool

	drift   []string
	absent  bool
	created bool
}

func (i *immutable) Tag(ctx context.Context, img delivery.Image, tag string) error {
	if there, ok, _ := i.Find(ctx, img.Repository, tag); i.stays && ok && there != img {
		return fault.New(fault.Conflict, "the tag is immutable")
	}
	return i.ImageStore.Tag(ctx, img, tag)
}

func (i *immutable) CheckRepository(_ context.Context, _ string, create bool) ([]string, error) {
	i.created = i.absent && create
	if i.absent && !create {
		return nil, fault.New(fault.NotFound, "it does not exist").Hint("create it")
	}
	return i.drift, nil
}

// TestRun_Repository: nothing is pushed to a repository that is not there, and what is
// wrong with one is said.
func TestRun_Repository(t *testing.T) {
	images := &immutable{ImageStore: &fake.ImageStore{}, absent: true}
	var said []string
	r := request(&said)
	if _, err := (Step{Images: images}).Run(t.Context(), r); !fault.Is(err, fault.NotFound) || fault.HintOf(err) != "create it" || len(said) > 0 {
		t.Errorf("%v, said %q", err, said)
	}
	r.Spec.Params = json.RawMessage(`{"repository":"mlops/api","create":true}`)
	if _, err := (Step{Images: images}).Run(t.Context(), r); err != nil || !images.created {
		t.Errorf("%v, created: %t", err, images.created)
	}
	images.absent, images.drift = false, []string{"its tags can be moved"}
	var log bytes.Buffer
	var events []event.Event
	r.Log, r.Emit = &log, func(e event.Event) { events = append(events, e) }
	if _, err := (Step{Images: images}).Run(t.Context(), r); err != nil || len(events) != 1 || !strings.Contains(events[0].Text, "mlops/api: its tags can be moved") || !strings.Contains(log.String(), "its tags can be moved") {
		t.Errorf("%v, events %+v, log %q", err, events, log.String())
	}
}
