package delivery_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// place is a section with the keys that plans had before locations were opaque.
type place struct {
	Context   string `json:"context,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	TakeOver  bool   `json:"take_over,omitempty"`
}

func TestLocation_KeepsTheFormOfStoredPlans(t *testing.T) {
	const stored = `{"target":"kubernetes","place":{"namespace":"a&b","context":"c","take_over":true}}`
	var plan struct {
		Target   string            `json:"target"`
		Location delivery.Location `json:"place,omitzero"`
	}
	if err := json.Unmarshal([]byte(stored), &plan); err != nil {
		t.Fatal(err)
	}
	var got place
	if err := plan.Location.Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := place{Context: "c", Namespace: "a&b", TakeOver: true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
	made, err := delivery.NewLocation(want)
	if err != nil || made != plan.Location {
		t.Errorf("the same location, made now (%v): %s, stored %s", err, made, plan.Location)
	}
	plan.Location = delivery.Location{}
	if raw, err := json.Marshal(plan); err != nil || string(raw) != `{"target":"kubernetes"}` {
		t.Errorf("the zero location is written (%v): %s", err, raw)
	}
}

func TestLocation_IsAnObject(t *testing.T) {
	for name, v := range map[string]any{"list": []int{1}, "text": "x", "number": 1} {
		t.Run(name, func(t *testing.T) {
			if l, err := delivery.NewLocation(v); err == nil {
				t.Errorf("accepted: %s", l)
			}
		})
	}
	empty, err := delivery.NewLocation(place{})
	if err != nil || !empty.IsZero() {
		t.Errorf("an empty section (%v): %s, want the zero location", err, empty)
	}
}
