package plan

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// unchangedReason returns why delivering the commit would only deploy what is
// deployed already, apart from what was changed by hand, or "". All that the plan knows must agree: image, model,
// configuration and overrides. A step whose result is not known yet has to run.
func (pl *planner) unchangedReason(deploy step.DeployParams) string {
	f := pl.facts
	t := pl.trigger
	if f.Serving == nil || f.Serving.Unsigned || f.ServingRelease == nil || f.ServingRelease.Unsigned || f.ServingRelease.Quarantined != nil || f.NotServing || f.Unfinished ||
		t.Retrain || t.Until != "" || !pl.allCached() {
		return ""
	}
	if !pl.sameImage() || !pl.sameModel(deploy) || !pl.sameConfiguration(deploy) {
		return ""
	}
	return fmt.Sprintf("%s has the same image, model and configuration, and is deployed in %s", f.Serving.Release, pl.plan.Environment)
}

func (pl *planner) allCached() bool {
	return !slices.ContainsFunc(pl.plan.Steps, func(s step.Spec) bool { return s.Cacheable && s.Action != step.ActionCached })
}

func (pl *planner) sameImage() bool {
	var built step.BuildOutput
	return json.Unmarshal(pl.cachedOutputs[buildStep], &built) == nil && built.Digest.Valid() &&
		built.Digest == pl.facts.ServingRelease.Release.Image.Digest
}

// sameModel compares a trained model by its training: the registered version is that
// of the job which trained it.
func (pl *planner) sameModel(deploy step.DeployParams) bool {
	serves, champion := pl.facts.ServingRelease.Release.Model, pl.facts.Champion
	switch {
	case pl.project.Model == nil || serves == nil:
		return pl.project.Model == nil && serves == nil
	case deploy.Model != nil:
		return deploy.Model.Digest == serves.Digest
	}
	var trained step.TrainOutput
	return json.Unmarshal(pl.cachedOutputs[trainStep], &trained) == nil && trained.Job != "" &&
		champion != nil && champion.Lineage.Job == trained.Job
}

// sameConfiguration compares what the configuration is made from. Deployments of
// earlier versions did not record that: theirs is compared itself, unless it was
// rendered from manifests.
func (pl *planner) sameConfiguration(deploy step.DeployParams) bool {
	serving, rel := pl.facts.Serving, pl.facts.ServingRelease.Release
	if serving.Inputs.Configuration != "" {
		return serving.Inputs.Configuration == deploy.ConfigurationDigest && serving.Inputs.Policy == deploy.PolicyDigest
	}
	return serving.Config == nil && rel.Objects == "" && reflect.DeepEqual(rel.Workload, deploy.Overrides.Apply(deploy.Workload))
}

// digestConfiguration sets the digests of what the configuration is made from,
// without and with the environment's overrides.
func (pl *planner) digestConfiguration(p *step.DeployParams) {
	p.PolicyDigest = pl.policyDigest(p.Trust)
	p.BaseDigest = pl.configurationDigest(p.Workload, p.ManifestParams)
	p.ConfigurationDigest = pl.configurationDigest(p.Overrides.Apply(p.Workload), p.With(p.Overrides))
}

// policyDigest is the digest of what the environment demands of a release. A run under
// another policy checks what is deployed, although it is the same content.
func (pl *planner) policyDigest(trust *step.TrustParams) delivery.Digest {
	policy := struct {
		Scan        *config.Scan           `json:"scan,omitempty"`
		Unavailable step.UnavailablePolicy `json:"unavailable,omitempty"`
		Sign        *config.Sign           `json:"sign,omitempty"`
		Trust       *step.TrustParams      `json:"trust,omitempty"`
	}{pl.project.Scan, pl.onScanUnavailable(), pl.project.Sign, trust}
	raw, err := json.Marshal(policy)
	if err != nil {
		return "" // our own types: it cannot happen
	}
	return delivery.DigestOf(raw)
}

// configurationDigest is the digest of a workload and of the commit's files that its
// objects are rendered from.
func (pl *planner) configurationDigest(w delivery.Workload, m step.ManifestParams) delivery.Digest {
	raw, err := json.Marshal(struct {
		Workload delivery.Workload   `json:"workload"`
		From     step.ManifestParams `json:"from"`
	}{w, m})
	if err != nil {
		return "" // our own types: it cannot happen
	}
	h := sha256.New()
	writeParts(h, "configuration", string(raw))
	if len(m.Manifests) > 0 {
		for _, f := range pl.facts.Files {
			if pl.isManifest(f.Path, m) {
				writeParts(h, "file", f.Mode, f.Blob, f.Path)
			}
		}
	}
	return delivery.DigestFromHash(h)
}

// isManifest reports whether objects may be rendered from the file: it is one of the
// manifests or values, lies below one, or is a file that a kustomization elsewhere
// may refer to.
func (pl *planner) isManifest(file string, m step.ManifestParams) bool {
	for _, from := range slices.Concat(m.Manifests, m.Values) {
		from = path.Clean(from)
		if from == "." || file == from || strings.HasPrefix(file, from+"/") {
			return true
		}
	}
	return pl.kustomized(m.Manifests) && slices.Contains([]string{".yaml", ".yml", ".json", ".env", ".properties"}, path.Ext(file)) &&
		!pl.isIgnored(file) && path.Base(file) != config.FileName
}

func (pl *planner) kustomized(manifests []string) bool {
	return slices.ContainsFunc(manifests, func(m string) bool {
		return slices.ContainsFunc(pl.facts.Files, func(f port.File) bool {
			return path.Dir(f.Path) == path.Clean(m) && strings.HasPrefix(path.Base(f.Path), "kustomization.")
		})
	})
}
