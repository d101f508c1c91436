// Package mlflow implements port.ModelRegistry with an MLflow server.
//
// A group is a registered model there. Each version has a run, which shows its metrics in
// MLflow's interface, and holds what must not change: MLflow refuses to change a run's
// parameters, whereas everybody may edit the tags of a version. The decisions are such
// parameters, numbered, so that of two people who decide at once only one succeeds.
package mlflow

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Config configures a registry.
type Config struct {
	// Settings is called when the server is first used: planning what needs no registry
	// needs no credentials.
	Settings func() (Settings, error)
	Clock    func() time.Time
}

// Registry is safe for concurrent use, also by several processes.
type Registry struct {
	config Config

	mu         sync.Mutex // never held during a request
	client     *client
	experiment string // its ID
}

var _ port.ModelRegistry = (*Registry)(nil)

// New returns a registry. It sends nothing yet.
func New(c Config) *Registry {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return &Registry{config: c}
}

func (r *Registry) connect() (*client, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.client == nil {
		s, err := r.config.Settings()
		if err != nil {
			return nil, err
		}
		r.client = newClient(s)
	}
	return r.client, nil
}

// groupName is what MLflow takes for the name of a model and its filters for a text.
var groupName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_. -]{0,199}$`)

// Register adds a version unless the group has one of the same digest.
func (r *Registry) Register(ctx context.Context, group string, artifact delivery.Digest, metrics delivery.Metrics, lineage delivery.Lineage) (delivery.ModelVersion, error) {
	if !groupName.MatchString(group) || !artifact.Valid() {
		return delivery.ModelVersion{}, fault.New(fault.Invalid, "register a model: group %q, artifact %q", group, artifact).
			Hint("MLflow takes letters, digits, spaces and the characters _ . - in the name of a model")
	}
	c, err := r.connect()
	if err != nil {
		return delivery.ModelVersion{}, err
	}
	known, err := c.findDigest(ctx, group, artifact)
	if err != nil {
		return delivery.ModelVersion{}, err
	}
	if len(known) == 0 {
		if known, err = r.add(ctx, c, group, artifact, metrics, lineage); err != nil {
			return delivery.ModelVersion{}, err
		}
	}
	e, err := c.load(ctx, group, int(known[0].Version))
	return e.ModelVersion, err
}

// maxAdds is how often the making of a version is tried: MLflow gives up itself when many
// are made at once.
const maxAdds = 8

// add makes the version. Two processes may do so at once: the lower number stays, since
// it was there before the higher one was given out, and the other process removes its own.
func (r *Registry) add(ctx context.Context, c *client, group string, artifact delivery.Digest, metrics delivery.Metrics, lineage delivery.Lineage) ([]modelVersion, error) {
	content, err := newContent(artifact, metrics, lineage)
	if err != nil {
		return nil, err
	}
	experiment, err := r.experimentID(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := c.ensureModel(ctx, group); err != nil {
		return nil, err
	}
	made, err := c.createRun(ctx, experiment, group, content, metrics, lineage, r.config.Clock())
	if err != nil {
		return nil, err
	}
	var known []modelVersion
	for try := 1; len(known) == 0; try++ {
		createErr := c.createVersion(ctx, group, made, content)
		if known, err = c.findDigest(ctx, group, artifact); err != nil {
			return nil, err
		}
		if len(known) == 0 && (try == maxAdds || !fault.Is(createErr, fault.Unavailable)) {
			return nil, createErr
		}
	}
	for _, v := range known[1:] {
		if v.RunID != made {
			continue
		}
		if err := c.deleteVersion(ctx, v); err != nil {
			return nil, err
		}
	}
	if known[0].RunID != made {
		return known, c.post(ctx, "remove the run of a model that was registered twice", "runs/delete", runFields{RunID: made}, nil)
	}
	return known, c.post(ctx, "end the run of "+group, "runs/update", runFields{RunID: made, Status: "FINISHED", End: r.config.Clock().UnixMilli()}, nil)
}

// Get returns a version.
func (r *Registry) Get(ctx context.Context, group string, version int) (delivery.ModelVersion, error) {
	c, err := r.connect()
	if err != nil {
		return delivery.ModelVersion{}, err
	}
	e, err := c.load(ctx, group, version)
	return e.ModelVersion, err
}

// experimentID returns the ID of the experiment of the settings, which is made if need be.
func (r *Registry) experimentID(ctx context.Context, c *client) (string, error) {
	r.mu.Lock()
	known := r.experiment
	r.mu.Unlock()
	if known != "" {
		return known, nil
	}
	id, err := c.findExperiment(ctx)
	if fault.Is(err, fault.NotFound) {
		err = c.post(ctx, "make the experiment "+c.settings.Experiment, "experiments/create", map[string]string{"name": c.settings.Experiment}, nil)
		if err == nil || hasCode(err, codeExists) {
			id, err = c.findExperiment(ctx)
		}
	}
	if err != nil {
		return "", err
	}
	r.mu.Lock()
	r.experiment = id
	r.mu.Unlock()
	return id, nil
}

func (c *client) findExperiment(ctx context.Context) (string, error) {
	var found struct {
		Experiment struct {
			ID    string `json:"experiment_id"`
			Stage string `json:"lifecycle_stage"`
		} `json:"experiment"`
	}
	name := c.settings.Experiment
	err := c.get(ctx, "look up the experiment "+name, "experiments/get-by-name", url.Values{"experiment_name": {name}}, &found)
	if err == nil && found.Experiment.Stage == "deleted" {
		err = fault.New(fault.Conflict, "the experiment %s on %s was deleted", name, c.settings.URL.Host).
			Hint("restore it in MLflow, or name another one: model.registry.mlflow.experiment")
	}
	return found.Experiment.ID, err
}

func (c *client) ensureModel(ctx context.Context, group string) error {
	err := c.post(ctx, "make the model "+group, "registered-models/create", map[string]string{
		"name": group, "description": "Registered by Slipway. Approve or reject a version by its tag " + tagStatus + ".",
	}, nil)
	if hasCode(err, codeExists) {
		return nil
	}
	return err
}

// createRun makes the run of a version that is to be. One that was killed here leaves a
// run without a version, which is never read.
func (c *client) createRun(ctx context.Context, experiment, group string, content content, metrics delivery.Metrics, l delivery.Lineage, now time.Time) (string, error) {
	var made struct {
		Run run `json:"run"`
	}
	what := "make a run for " + group
	err := c.post(ctx, what, "runs/create", runFields{
		ExperimentID: experiment, Name: group + " " + content.digest.Short(), Start: now.UnixMilli(),
		Tags: []keyValue{{tagGroup, group}, {tagDigest, string(content.digest)}, {"mlflow.source.git.commit", l.Commit}},
	}, &made)
	if err != nil {
		return "", err
	}
	id := made.Run.Info.RunID
	params := []keyValue{{paramContent, string(content.sum())}}
	for _, p := range []keyValue{{"commit", l.Commit}, {"data", string(l.Data)}, {"job", l.Job}, {"run", string(l.Run)}} {
		if p.Value != "" {
			params = append(params, p)
		}
	}
	return id, c.post(ctx, what, "runs/log-batch", runFields{RunID: id, Params: params, Metrics: flatten(metrics, now)}, nil)
}

func (c *client) createVersion(ctx context.Context, group, runID string, content content) error {
	return c.once(ctx, "register a version of "+group, "model-versions/create", createVersion{
		Name: group, RunID: runID, Source: "slipway:///" + url.PathEscape(group) + "/" + string(content.digest), // MLflow wants an absolute path
		Tags: append(content.tags(), keyValue{tagStatus, saidPending}, keyValue{tagMirrored, "0"}),
	}, nil)
}

func (c *client) deleteVersion(ctx context.Context, v modelVersion) error {
	err := c.delete(ctx, fmt.Sprintf("remove the second registration %s:%d", v.Name, v.Version), "model-versions/delete",
		versionField{Name: v.Name, Version: strconv.Itoa(int(v.Version))})
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// load reads a version with its run.
func (c *client) load(ctx context.Context, group string, version int) (entry, error) {
	what := fmt.Sprintf("look up model %s:%d", group, version)
	if !groupName.MatchString(group) || version < 1 {
		return entry{}, fault.New(fault.NotFound, "model %s:%d not found", group, version)
	}
	var found struct {
		Version modelVersion `json:"model_version"`
	}
	err := c.get(ctx, what, "model-versions/get", url.Values{"name": {group}, "version": {strconv.Itoa(version)}}, &found)
	if err != nil {
		return entry{}, err
	}
	if found.Version.tag(tagDigest) == "" {
		return entry{}, fault.New(fault.NotFound, "model %s:%d was not registered by Slipway", group, version).
			Hint("MLflow keeps its files, not their digest: download them, and add them with `slipway models add`")
	}
	r, err := c.readRun(ctx, found.Version.RunID)
	if err != nil {
		return entry{}, fmt.Errorf("%s: %w", what, err)
	}
	return newEntry(found.Version, r, found.Version.Aliases)
}

func (c *client) readRun(ctx context.Context, id string) (run, error) {
	var found struct {
		Run run `json:"run"`
	}
	err := c.get(ctx, "read the run "+id, "runs/get", url.Values{"run_id": {id}}, &found)
	return found.Run, err
}

// content is what a version is made of, as its tags hold it.
type content struct {
	digest           delivery.Digest
	metrics, lineage string // JSON
}

func newContent(digest delivery.Digest, metrics delivery.Metrics, lineage delivery.Lineage) (content, error) {
	m, err := json.Marshal(metrics)
	if err != nil {
		return content{}, fault.New(fault.Invalid, "register a model: its metrics are not JSON").Cause(err)
	}
	if len(m) > maxTag {
		return content{}, fault.New(fault.Invalid, "register a model: its metrics have %d bytes, and MLflow keeps %d", len(m), maxTag).
			Hint("write fewer of them; lists of values belong into the model's files")
	}
	l, err := json.Marshal(lineage)
	return content{digest, string(m), string(l)}, err
}

// sum is kept where it can't be changed.
func (c content) sum() delivery.Digest {
	return delivery.DigestOf([]byte(string(c.digest) + "\n" + c.metrics + "\n" + c.lineage))
}

func (c content) tags() []keyValue {
	return []keyValue{{tagDigest, string(c.digest)}, {tagMetrics, c.metrics}, {tagLineage, c.lineage}}
}
