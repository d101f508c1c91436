package plan

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// attest plans the signing of what was pushed and registered.
func (pl *planner) attest(needs []string, pinned *delivery.ModelRef) {
	s := pl.project.Sign
	with := step.AttestParams{
		Key: string(s.Key), Passphrase: string(s.Passphrase), Fulcio: s.Fulcio, Rekor: s.Rekor, Timestamps: s.Timestamps,
		Build: pl.buildParameters(), Train: pl.trainParameters(), Model: pinned, PackModel: pl.packsModel(),
	}
	by := "the CI's identity"
	if with.Key != "" {
		by = "the key in " + with.Key
	}
	pl.add(step.Spec{
		Name: attestStep, Kind: step.Attest, Needs: needs, Timeout: attestTimeout, Retries: pushRetries,
		Reason: "signs what is not yet signed, with " + by,
	}, with)
}

// packsModel reports whether the pods of some environment get the model as an
// image. It need not be this environment: releases are promoted.
func (pl *planner) packsModel() bool {
	model := pl.project.Model
	if model == nil || model.Deliver == delivery.DeliverByEnv {
		return false
	}
	for _, e := range pl.project.Environments {
		if e.Target.Abilities.ModelImages {
			return true
		}
	}
	return false
}

// buildParameters are what a reader of the provenance needs to build the image
// again. Of variables they hold only the names: a value may be a secret.
func (pl *planner) buildParameters() json.RawMessage {
	repository, inputs, b := pl.project.Image.Repository, pl.project.Image.Build.Inputs, pl.project.Image.Build.Params
	out := map[string]any{
		"repository": repository, "go": b.Go, "env": sortedKeys(b.Env), "inputs": inputs,
		"dockerfile": b.Dockerfile, "context": b.Context, "target": b.Target, "platforms": b.Platforms,
		"args": sortedKeys(b.Args), "secrets": sortedKeys(b.Secrets), "kind": b.Kind,
	}
	if b.Options != nil {
		out["options"] = b.Options
	}
	return nonEmpty(out)
}

// trainParameters are those of the model; its command comes with its lineage.
func (pl *planner) trainParameters() json.RawMessage {
	model := pl.project.Model
	if !pl.trains() {
		return nil
	}
	out := map[string]any{"env": sortedKeys(model.Train.Env), "inputs": model.Train.Inputs}
	if e := model.Evaluate; e != nil {
		out["evaluate"], out["gates"], out["evaluate_from"] = e.Run, e.Gates, e.From
	}
	return nonEmpty(out)
}

// nonEmpty leaves out what is empty.
func nonEmpty(all map[string]any) json.RawMessage {
	for k, v := range all {
		switch v := v.(type) {
		case string:
			if v == "" {
				delete(all, k)
			}
		case []string:
			if len(v) == 0 {
				delete(all, k)
			}
		}
	}
	raw, err := json.Marshal(all)
	if err != nil {
		return nil // texts and lists of them: always JSON
	}
	return raw
}

func sortedKeys[V any](of map[string]V) []string { return slices.Sorted(maps.Keys(of)) }

// TrustFiles are the files that an environment's trust policy names.
func TrustFiles(e config.Environment) []string {
	if e.Trust == nil {
		return nil
	}
	files := slices.Clone(e.Trust.Keys)
	if e.Trust.Root != "" {
		files = append(files, e.Trust.Root)
	}
	return files
}

// TrustPolicy is an environment's policy with the content of its files, so that the
// plan holds what it was made by; nil when the environment demands nothing.
func TrustPolicy(e config.Environment, files map[string]string) *step.TrustParams {
	t := e.Trust
	if t == nil {
		return nil
	}
	out := &step.TrustParams{Require: t.Require, Images: t.Images, TrustPolicy: port.TrustPolicy{Root: files[t.Root]}}
	if len(out.Require) == 0 {
		out.Require = []string{step.RequireSignature}
	}
	for _, k := range t.Keys {
		out.Keys = append(out.Keys, port.TrustedKey{Name: k, PEM: files[k]})
	}
	for _, id := range t.Identities {
		out.Identities = append(out.Identities, port.TrustedIdentity{Issuer: id.Issuer, Subject: id.Subject})
	}
	return out
}
