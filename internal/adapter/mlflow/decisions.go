package mlflow

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Decide approves or rejects a version. Its decisions are numbered, and the first one to
// be written down under a number is that decision: whoever comes second reads it, and
// starts again.
func (r *Registry) Decide(ctx context.Context, ref delivery.ModelRef, d delivery.ModelDecision) (delivery.ModelVersion, error) {
	if d.Status != delivery.Approved && d.Status != delivery.Rejected {
		return delivery.ModelVersion{}, fault.New(fault.Invalid, "decide on model %s: invalid decision %q", ref, d.Status)
	}
	c, err := r.connect()
	if err != nil {
		return delivery.ModelVersion{}, err
	}
	for decided := false; ; {
		e, err := c.load(ctx, ref.Group, ref.Version)
		if err != nil {
			return delivery.ModelVersion{}, err
		}
		switch {
		case ref.Digest != "" && ref.Digest != e.Digest:
			return e.ModelVersion, fault.New(fault.Conflict, "model %s has digest %s, not %s", ref, e.Digest.Short(), ref.Digest.Short())
		case decided || d.Status == e.Status:
			return r.settle(ctx, c, e)
		case d.Revises != "" && d.Revises != e.Status:
			return e.ModelVersion, fault.New(fault.Conflict, "decide on model %s: it is %s by now", ref, e.Status).
				Hint("look at the decisions with `slipway models show %s`", ref)
		case e.outside != nil: // it came first
			err = r.adopt(ctx, c, e)
		default:
			next := d
			next.Revises, next.At = e.Status, r.config.Clock().UTC()
			decided, err = c.writeDecision(ctx, e, next)
		}
		if err != nil {
			return e.ModelVersion, err
		}
	}
}

// adopt writes down a decision that was made in MLflow's interface. The tags show it
// already.
func (r *Registry) adopt(ctx context.Context, c *client, e entry) error {
	d := *e.outside
	d.At = r.config.Clock().UTC()
	if written, err := c.writeDecision(ctx, e, d); err != nil || !written {
		return err
	}
	return c.setTag(ctx, e.ModelRef, tagMirrored, strconv.Itoa(len(e.decisions)+1))
}

// settle makes MLflow show a decision that may just have been written down, and returns the
// version with it.
func (r *Registry) settle(ctx context.Context, c *client, e entry) (delivery.ModelVersion, error) {
	if e.mirrored == len(e.decisions) {
		return e.ModelVersion, nil
	}
	if err := c.setTag(ctx, e.ModelRef, tagStatus, saidOf(e.Status)); err != nil {
		return e.ModelVersion, err
	}
	if err := r.moveAlias(ctx, c, e.Group); err != nil {
		return e.ModelVersion, err
	}
	return e.ModelVersion, c.setTag(ctx, e.ModelRef, tagMirrored, strconv.Itoa(len(e.decisions)))
}

// writeDecision writes a decision down, unless another one of that number is there.
func (c *client) writeDecision(ctx context.Context, e entry, d delivery.ModelDecision) (written bool, err error) {
	text, err := encodeDecision(e.ModelRef, d)
	if err != nil {
		return false, err
	}
	key := paramDecision + strconv.Itoa(len(e.decisions)+1)
	err = c.post(ctx, "decide on model "+e.String(), "runs/log-parameter", map[string]string{"run_id": e.runID, "key": key, "value": text}, nil)
	if !hasCode(err, codeRefused) {
		return err == nil, err
	}
	there, readErr := c.readRun(ctx, e.runID)
	if readErr == nil && there.param(key) != "" {
		return false, nil
	}
	return false, errors.Join(err, readErr)
}

func (c *client) setTag(ctx context.Context, ref delivery.ModelRef, key, value string) error {
	return c.post(ctx, "tag model "+ref.String(), "model-versions/set-tag",
		versionField{Name: ref.Group, Version: strconv.Itoa(ref.Version), Key: key, Value: value}, nil)
}

// moveAlias points the alias at the newest approved version, for those who load
// models:/GROUP@approved.
func (r *Registry) moveAlias(ctx context.Context, c *client, group string) error {
	newest, _, err := r.List(ctx, port.ModelFilter{Group: group, Status: delivery.Approved}, port.Page{Limit: 1})
	if err != nil {
		return err
	}
	if len(newest) == 0 {
		return c.delete(ctx, "remove the alias "+aliasApproved+" of "+group, "registered-models/alias", versionField{Name: group, Alias: aliasApproved})
	}
	return c.post(ctx, fmt.Sprintf("give %s the alias %s", newest[0], aliasApproved), "registered-models/alias",
		versionField{Name: group, Alias: aliasApproved, Version: strconv.Itoa(newest[0].Version)}, nil)
}

// Decisions returns the decisions on a version, those of MLflow's interface included.
func (r *Registry) Decisions(ctx context.Context, group string, version int) ([]delivery.ModelDecision, error) {
	c, err := r.connect()
	if err != nil {
		return nil, err
	}
	e, err := c.load(ctx, group, version)
	return e.all(), err
}

// aliases returns those of a group, by version.
func (c *client) aliases(ctx context.Context, group string) (map[int][]string, error) {
	var found struct {
		Model struct {
			Aliases []struct {
				Alias   string  `json:"alias"`
				Version integer `json:"version"`
			} `json:"aliases"`
		} `json:"registered_model"`
	}
	err := c.get(ctx, "look up the aliases of "+group, "registered-models/get", url.Values{"name": {group}}, &found)
	byVersion := map[int][]string{}
	for _, a := range found.Model.Aliases {
		byVersion[int(a.Version)] = append(byVersion[int(a.Version)], a.Alias)
	}
	return byVersion, err
}
