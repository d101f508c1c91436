package kubernetes

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// SetWeight gives the staged release a share of the requests: by the weights of the
// HTTPRoutes that lead to it, or else by its share of the pods, for the Services
// select both releases then.
func (t *Target) SetWeight(ctx context.Context, o port.DeployRequest, percent int, say func(string)) (float64, error) {
	e, err := t.begin(ctx, o, say)
	if err != nil {
		return 0, err
	}
	if e.b, err = t.bundle(ctx, e.c, o); err != nil {
		return 0, err
	}
	if e.st.traffic == "" || e.st.traffic == o.ID || !e.st.runs(e.b) {
		return 0, fault.New(fault.Conflict, "give %s %d %% of the traffic of %s: it is not beside another release", o.ID, percent, o.Environment)
	}
	before, err := t.serving(ctx, e.c, e.st, o)
	if err != nil {
		return 0, err
	}
	actual := 0.0
	surge := func(d *unstructured.Unstructured) int64 {
		var n int64
		n, actual = share(wanted(e.st.live[d.GetName()], d), percent)
		return n
	}
	w, err := e.c.watch(ctx, labelsOf(o.Service, o.Environment), podLabels(o.Service))
	if err != nil {
		return 0, err
	}
	defer w.close()
	if err := e.apply(ctx, e.b.held(surge), true); err != nil {
		return 0, err
	}
	a := awaited{release: o.ID, held: true, want: map[string]int{}}
	for _, d := range e.b.ours {
		a.want[d.GetName()], a.names = int(surge(d)), append(a.names, d.GetName())
	}
	if err := t.await(ctx, e.c, w, a, e.say); err != nil {
		return 0, err
	}
	if len(before.routes()) > 0 {
		return float64(percent), e.weigh(ctx, before, percent)
	}
	e.say(fmt.Sprintf("%.0f %% of the pods are of %s", actual, o.ID))
	for _, s := range before.pinned("") { // still the one before by its name
		if err := e.fenced(ctx, s); err != nil {
			return 0, err
		}
	}
	return actual, nil
}
