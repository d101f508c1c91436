package render

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
)

// mapHooks turns the chart's hooks that run before the pods into Jobs that a deployment
// awaits, in the order of their weights, and leaves out the chart's tests. It rejects all
// other hooks: they would have to run at times that Slipway has no step for.
func (l *loader) mapHooks(objects []object) ([]object, error) {
	var jobs, out []object
	for _, o := range objects {
		events := hookEvents(o)
		switch {
		case len(events) == 0:
			out = append(out, o)
		case !slices.ContainsFunc(events, func(e string) bool { return !isTestEvent(e) }):
			l.notes = append(l.notes, o.displayName()+" is a chart test and is left out")
		default:
			if err := checkHook(o, events); err != nil {
				return nil, err
			}
			mapped, err := mapHook(o, events)
			if err != nil {
				return nil, err
			}
			if isJob(o.groupKind()) {
				jobs = append(jobs, mapped)
			} else {
				out = append(out, mapped)
			}
		}
	}
	slices.SortStableFunc(jobs, func(a, b object) int {
		return cmp.Or(cmp.Compare(hookWeight(a), hookWeight(b)), cmp.Compare(a.metaString("name"), b.metaString("name")))
	})
	for _, o := range jobs {
		dropHookAnnotations(o)
	}
	return append(out, jobs...), nil
}

const (
	hookAnnotation       = "helm.sh/hook"
	hookWeightAnnotation = "helm.sh/hook-weight"
	hookPolicyAnnotation = "helm.sh/hook-delete-policy"
)

// hookEvents returns when Helm would run an object.
func hookEvents(o object) []string {
	var out []string
	for _, event := range strings.Split(o.annotation(hookAnnotation), ",") {
		if event = strings.ToLower(strings.TrimSpace(event)); event != "" {
			out = append(out, event)
		}
	}
	return out
}

// isTestEvent reports whether a hook runs on `helm test`.
func isTestEvent(event string) bool {
	return event == "test" || event == "test-success" || event == "test-failure"
}

// checkHook rejects a hook that runs at another time than before the pods, or that is
// neither a Job nor something that one needs.
func checkHook(o object, events []string) error {
	for _, event := range events {
		reason := ""
		switch {
		case event == "pre-install", event == "pre-upgrade", event == "pre-rollback", event == "crd-install", isTestEvent(event):
		case strings.HasPrefix(event, "post-"):
			reason = "what runs after the pods is too late to stop a release: smoke checks and the bake decide about it"
		case strings.Contains(event, "delete"):
			reason = "Slipway removes objects one by one, and never uninstalls a chart"
		default:
			reason = "Helm has no such hook"
		}
		if reason != "" {
			return o.errorf("%s is a Helm hook (%s), which Slipway does not run: %s", o.displayName(), event, reason).
				Hint("make it a pre-install,pre-upgrade hook or an ordinary Job, which runs before the release's pods start, or switch it off in the chart's values")
		}
	}
	if o.groupKind() == (schema.GroupKind{Kind: "Pod"}) {
		return o.errorf("%s is a Helm hook, and Slipway runs only those that are Jobs", o.displayName()).Hint("make it a Job: it has a result that outlives its pod")
	}
	return nil
}

// mapHook keeps when Helm would run a Job. What else a hook brings is an ordinary object.
func mapHook(o object, events []string) (object, error) {
	if !isJob(o.groupKind()) {
		dropHookAnnotations(o)
		return o, nil
	}
	if weight := o.annotation(hookWeightAnnotation); weight != "" {
		if _, err := strconv.Atoi(weight); err != nil {
			return o, o.errorf("invalid value %q of annotation %s of %s", weight, hookWeightAnnotation, o.displayName()).Hint("use a whole number in quotes")
		}
	}
	meta, err := o.metadata()
	if err != nil {
		return o, err
	}
	annotations := childMap(meta, "annotations")
	if slices.Contains(events, "pre-rollback") {
		annotations[labels.OnRollback] = labels.RunOnRollback
	}
	annotations[labels.HelmHook] = strings.Join(events, ",")
	return o, nil
}

// hookWeight is valid: mapHook has checked it.
func hookWeight(o object) int {
	n, _ := strconv.Atoi(o.annotation(hookWeightAnnotation))
	return n
}

func dropHookAnnotations(o object) {
	meta, _ := o.body["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	for _, key := range []string{hookAnnotation, hookWeightAnnotation, hookPolicyAnnotation} {
		delete(annotations, key)
	}
}
