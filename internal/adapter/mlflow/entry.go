package mlflow

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Tags of a version. They are stored, and people edit tagStatus.
const (
	tagDigest   = "slipway.digest"
	tagMetrics  = "slipway.metrics"
	tagLineage  = "slipway.lineage"
	tagGroup    = "slipway.group"    // of a run
	tagMirrored = "slipway.mirrored" // how many decisions tagStatus follows
	tagStatus   = "validation_status"

	aliasApproved = "approved" // the newest approved version
)

// Values of tagStatus: those of MLflow's documentation.
const (
	saidPending  = "pending"
	saidApproved = "approved"
	saidRejected = "rejected"
)

// Parameters of a run. A decision's number follows paramDecision.
const (
	paramContent  = "slipway.content"
	paramDecision = "slipway.decision."
)

// Sizes that MLflow keeps whole.
const (
	maxTag     = 100_000
	maxParam   = 6000
	maxMetrics = 1000 // numbers of a run
)

// entry is a version with what MLflow keeps about it.
type entry struct {
	delivery.ModelVersion

	runID     string
	decisions []delivery.ModelDecision // written down
	mirrored  int                      // how many of them tagStatus follows
	outside   *delivery.ModelDecision  // in MLflow's own interface, and not written down
}

// all are the decisions, oldest first.
func (e entry) all() []delivery.ModelDecision {
	if e.outside == nil {
		return e.decisions
	}
	return append(slices.Clone(e.decisions), *e.outside)
}

// newEntry reads a version; aliases are its own.
func newEntry(v modelVersion, r run, aliases []string) (entry, error) {
	e := entry{runID: v.RunID}
	e.ModelRef = delivery.ModelRef{Group: v.Name, Version: int(v.Version), Digest: delivery.Digest(v.tag(tagDigest))}
	e.CreatedAt, e.Status = v.createdAt(), delivery.PendingApproval
	kept := content{e.Digest, v.tag(tagMetrics), v.tag(tagLineage)}
	if sum := r.param(paramContent); sum != string(kept.sum()) {
		return e, fault.New(fault.Corrupt, "model %s has other tags in MLflow than it was registered with", e.ModelRef).
			Hint("a person edited %s, %s or %s: restore them, or register the model again", tagDigest, tagMetrics, tagLineage)
	}
	err := errors.Join(json.Unmarshal([]byte(kept.metrics), &e.Metrics), json.Unmarshal([]byte(kept.lineage), &e.Lineage))
	for n := 1; err == nil; n++ {
		text := r.param(paramDecision + strconv.Itoa(n))
		if text == "" {
			break
		}
		var d delivery.ModelDecision
		err = json.Unmarshal([]byte(text), &d)
		e.decisions = append(e.decisions, d)
	}
	if err != nil {
		return e, fault.New(fault.Corrupt, "read model %s from MLflow", e.ModelRef).Cause(err)
	}
	if len(e.decisions) > 0 {
		e.apply(e.decisions[len(e.decisions)-1])
	}
	e.mirrored, _ = strconv.Atoi(v.tag(tagMirrored))
	if e.mirrored == len(e.decisions) {
		e.applyOutside(statusOf(v.tag(tagStatus)), slices.Contains(aliases, aliasApproved))
	} // otherwise the tags are older than the newest decision
	return e, nil
}

func (e *entry) apply(d delivery.ModelDecision) {
	e.Status, e.DecidedActor, e.DecidedBy, e.DecidedAt, e.Why = d.Status, d.By, d.By.String(), d.At, d.Why
}

// applyOutside takes what a person set in MLflow's interface. It may approve what has no
// decision yet, and always take an approval back. A rejection is only revised by Slipway,
// with a reason: two processes that decide at once may leave an older tag behind, and that
// must not approve. The alias is what an approval leaves behind, too.
func (e *entry) applyOutside(said delivery.ModelStatus, hasAlias bool) {
	decided := len(e.decisions) > 0
	if said == delivery.PendingApproval && hasAlias && !decided {
		said = delivery.Approved
	}
	switch {
	case said == e.Status || decided && e.Status == delivery.Rejected:
	case said == delivery.PendingApproval:
		e.apply(delivery.ModelDecision{Status: delivery.PendingApproval})
	default:
		e.outside = &delivery.ModelDecision{
			Status: said, Revises: e.Status, By: delivery.Actor{Name: "a user of MLflow", Means: delivery.MeansRegistry},
			Why: "decided in MLflow, which records no user",
		}
		e.apply(*e.outside)
	}
}

// statusOf reads tagStatus. What it does not know never approves.
func statusOf(said string) delivery.ModelStatus {
	switch strings.ToLower(strings.TrimSpace(said)) {
	case saidApproved:
		return delivery.Approved
	case saidRejected:
		return delivery.Rejected
	}
	return delivery.PendingApproval
}

// saidOf is the value of tagStatus.
func saidOf(s delivery.ModelStatus) string {
	switch s {
	case delivery.Approved:
		return saidApproved
	case delivery.Rejected:
		return saidRejected
	}
	return saidPending
}

var notInMetricName = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// flatten lists the numbers among the metrics by their names joined with dots, for MLflow's
// charts. The whole is in tagMetrics.
func flatten(metrics delivery.Metrics, at time.Time) (out []metric) {
	seen := map[string]bool{}
	var walk func(prefix string, value any)
	walk = func(prefix string, value any) {
		switch x := value.(type) {
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(x)) {
				walk(strings.TrimPrefix(prefix+"."+name, "."), x[name])
			}
		case float64:
			name := strings.Trim(notInMetricName.ReplaceAllString(prefix, "_"), ".")
			name = strings.ReplaceAll(name, "..", "_")
			if name == "" || len(name) > 200 || seen[name] || len(out) == maxMetrics || math.IsNaN(x) || math.IsInf(x, 0) {
				return
			}
			seen[name] = true
			out = append(out, metric{Key: name, Value: x, Timestamp: at.UnixMilli()})
		}
	}
	walk("", map[string]any(metrics))
	return out
}

// compareNewest orders versions as lists have them: the newest first.
func compareNewest(a, b modelVersion) int {
	return -cmp.Or(cmp.Compare(a.Created, b.Created), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Name, b.Name))
}

// encodeDecision is how a decision is written down.
func encodeDecision(ref delivery.ModelRef, d delivery.ModelDecision) (string, error) {
	raw, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("write the decision on model %s: %w", ref, err)
	}
	if len(raw) > maxParam {
		return "", fault.New(fault.Invalid, "decide on model %s: the decision has %d bytes, and MLflow keeps %d", ref, len(raw), maxParam).
			Hint("give a shorter reason")
	}
	return string(raw), nil
}
