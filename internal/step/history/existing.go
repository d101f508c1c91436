package history

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Import records what serves in place of the request's release and was not deployed by
// a run as release 0: the environment's current one, which a failed first deployment
// returns to. Then it becomes that in the target, too. ok is false if there is nothing to
// import. The target is locked for the request's run already. It may be repeated
// after a crash at any point.
func (rec Records) Import(ctx context.Context, t port.Target, req port.DeployRequest, by delivery.Actor, now time.Time, say func(string)) (d delivery.Deployment, ok bool, err error) {
	importer, can := t.(port.Importer)
	if !can {
		return d, false, nil
	}
	rel, d, ok, err := rec.recordExisting(ctx, importer, req, by, now)
	if err != nil || !ok {
		return d, false, err
	}
	// Recorded before anything changes: whoever goes on after a crash finds it.
	if err := rec.Publish(ctx, t, req.Service, req.Environment); err != nil {
		return d, false, err
	}
	say(fmt.Sprintf("%s has served in %s until now, as release 0; taking it over", rel.ID, req.Environment))
	adopted := req
	adopted.ID, adopted.Release, adopted.Secrets = d.Instance(), rel.Release, nil
	if err := importer.Adopt(ctx, adopted, say); err != nil {
		return d, false, fmt.Errorf("take over what serves in %s: %w", req.Environment, err)
	}
	return d, true, nil
}

// recordExisting returns release 0 and its deployment: those in the records if an import
// was interrupted, or else what is found.
func (rec Records) recordExisting(ctx context.Context, importer port.Importer, req port.DeployRequest, by delivery.Actor, now time.Time) (rel delivery.ReleaseRecord, d delivery.Deployment, ok bool, err error) {
	current, ok, err := rec.Deployments.Current(ctx, req.Environment)
	if err != nil {
		return rel, d, false, fmt.Errorf("read the current deployment of %s: %w", req.Environment, err)
	}
	if ok {
		if rel, err = rec.Releases.Get(ctx, current.Release); err != nil {
			return rel, d, false, fmt.Errorf("read release %s: %w", current.Release, err)
		}
		return rel, current, rel.Origin.Imported, nil
	}
	found, ok, err := importer.FindExisting(ctx, req)
	if err != nil || !ok {
		return rel, d, false, err
	}
	run := importRun(found)
	origin := delivery.Origin{Run: run, CreatedAt: now, Imported: true}
	if rel, err = rec.Releases.Save(ctx, found.Release, origin); err != nil {
		return rel, d, false, fmt.Errorf("record release 0: %w", err)
	}
	if q := rel.Quarantined; q != nil {
		return rel, d, false, fault.New(fault.Conflict, "what serves in %s is quarantined as %s: %s", req.Environment, rel.ID, q.Summary()).
			Hint("it would not be a way back; allow it with `slipway releases unquarantine %s --why REASON`", rel.ID)
	}
	d, err = rec.Deployments.Begin(ctx, delivery.Deployment{
		Environment: req.Environment, Release: rel.ID, Run: run, By: by.String(), Actor: by, Reason: importReason(found), StartedAt: now,
	})
	if err != nil {
		return rel, d, false, fmt.Errorf("record release 0 in %s: %w", req.Environment, err)
	}
	if err := rec.Deployments.Accept(ctx, d.ID, now); err != nil {
		return rel, d, false, fmt.Errorf("record release 0 in %s: %w", req.Environment, err)
	}
	d.State, d.ServingAt = delivery.Serving, now
	return rel, d, true, nil
}

// importRun stands for the run that there was not. It is the same for everyone who finds
// the same, and no run has it, so that none takes release 0 for its own deployment.
func importRun(found port.Existing) delivery.RunID {
	name := strings.TrimPrefix(string(found.Release.Manifests), "sha256:")
	return delivery.RunID(found.Since.UTC().Format("20060102-150405") + "-" + name[:min(4, len(name))])
}

// importReason is why release 0 is there.
func importReason(found port.Existing) string {
	var tools []string
	seen := map[string]bool{}
	for _, o := range found.Objects {
		for _, m := range o.Managers {
			if !seen[m] {
				seen[m] = true
				tools = append(tools, m)
			}
		}
	}
	if len(tools) == 0 {
		return "imported: it served before the first deployment"
	}
	return "imported: it served before the first deployment, applied by " + strings.Join(tools, ", ")
}
