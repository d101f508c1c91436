package mlflow

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Limits of a list.
const (
	pageSize   = 1000 // entries of one response
	maxPages   = 100
	singleRuns = 4 // runs that are read one by one, before all of them at once
)

// List returns a page of the versions that Slipway registered. MLflow's own pages move when
// a version is added, so all are read: the search's result is small.
func (r *Registry) List(ctx context.Context, f port.ModelFilter, page port.Page) ([]delivery.ModelVersion, port.Cursor, error) {
	after, err := parseCursor(page.After)
	if err != nil {
		return nil, "", err
	}
	c, err := r.connect()
	if err != nil {
		return nil, "", err
	}
	var filter string
	if f.Group != "" {
		if !groupName.MatchString(f.Group) {
			return nil, "", nil // it can't have been registered
		}
		filter = fmt.Sprintf("name = '%s'", f.Group)
	}
	versions, err := c.search(ctx, "list the models", filter)
	if err != nil {
		return nil, "", err
	}
	details := reader{registry: r, client: c, group: f.Group}
	var out []delivery.ModelVersion
	var last modelVersion
	for _, v := range withoutSecond(versions) {
		if after != nil && compareNewest(v, *after) <= 0 {
			continue
		}
		e, err := details.read(ctx, v)
		switch {
		case err != nil:
			return nil, "", err
		case f.Status != "" && f.Status != e.Status:
			continue
		case len(out) == page.Size():
			return out, cursorOf(last), nil
		}
		out, last = append(out, e.ModelVersion), v
	}
	return out, "", nil
}

// withoutSecond leaves out what a killed process registered twice, and orders the rest:
// the newest first.
func withoutSecond(versions []modelVersion) []modelVersion {
	slices.SortFunc(versions, func(a, b modelVersion) int { return int(a.Version - b.Version) })
	seen := map[string]bool{}
	versions = slices.DeleteFunc(versions, func(v modelVersion) bool {
		key := v.Name + "\n" + v.tag(tagDigest)
		second := seen[key]
		seen[key] = true
		return second
	})
	slices.SortFunc(versions, compareNewest)
	return versions
}

// findDigest returns the versions of a group with the artifact, the lowest number first.
func (c *client) findDigest(ctx context.Context, group string, artifact delivery.Digest) ([]modelVersion, error) {
	found, err := c.search(ctx, "look up the models of "+group, fmt.Sprintf("name = '%s' AND tags.`%s` = '%s'", group, tagDigest, artifact))
	slices.SortFunc(found, func(a, b modelVersion) int { return int(a.Version - b.Version) })
	return found, err
}

// search returns all versions of Slipway's that a filter selects.
func (c *client) search(ctx context.Context, what, filter string) (all []modelVersion, err error) {
	query := url.Values{"max_results": {strconv.Itoa(pageSize)}, "order_by": {"creation_timestamp ASC"}}
	if filter != "" {
		query.Set("filter", filter)
	}
	for range maxPages {
		var found struct {
			Versions []modelVersion `json:"model_versions"`
			Next     string         `json:"next_page_token"`
		}
		if err := c.get(ctx, what, "model-versions/search", query, &found); err != nil {
			return nil, err
		}
		for _, v := range found.Versions {
			if v.tag(tagDigest) != "" {
				all = append(all, v)
			}
		}
		if found.Next == "" {
			return all, nil
		}
		query.Set("page_token", found.Next)
	}
	return nil, tooMany(what)
}

func tooMany(what string) error {
	return fault.New(fault.Exhausted, "%s: MLflow has more than %d", what, pageSize*maxPages).Hint("delete old versions in MLflow")
}

// reader reads what belongs to the versions of a list: few runs one by one, many at once.
type reader struct {
	registry *Registry
	client   *client
	group    string // of all versions; empty: of several groups

	single  int
	runs    map[string]run
	aliases map[string]map[int][]string
}

func (d *reader) read(ctx context.Context, v modelVersion) (entry, error) {
	r, err := d.run(ctx, v.RunID)
	if err != nil {
		return entry{}, fmt.Errorf("read model %s:%d: %w", v.Name, v.Version, err)
	}
	if _, known := d.aliases[v.Name]; !known {
		byVersion, err := d.client.aliases(ctx, v.Name)
		if err != nil {
			return entry{}, err
		}
		if d.aliases == nil {
			d.aliases = map[string]map[int][]string{}
		}
		d.aliases[v.Name] = byVersion
	}
	return newEntry(v, r, d.aliases[v.Name][int(v.Version)])
}

func (d *reader) run(ctx context.Context, id string) (run, error) {
	if d.single++; d.single > singleRuns && d.runs == nil {
		if err := d.readAll(ctx); err != nil {
			return run{}, err
		}
	}
	if r, ok := d.runs[id]; ok {
		return r, nil
	}
	return d.client.readRun(ctx, id) // of another experiment, perhaps
}

func (d *reader) readAll(ctx context.Context) error {
	experiment, err := d.registry.experimentID(ctx, d.client)
	if err != nil {
		return err
	}
	const what = "read the runs of the models"
	d.runs = map[string]run{}
	in := searchRuns{Experiments: []string{experiment}, View: "ALL", Limit: pageSize}
	if d.group != "" {
		in.Filter = fmt.Sprintf("tags.`%s` = '%s'", tagGroup, d.group)
	}
	for range maxPages {
		var found struct {
			Runs []run  `json:"runs"`
			Next string `json:"next_page_token"`
		}
		if err := d.client.post(ctx, what, "runs/search", in, &found); err != nil {
			return err
		}
		for _, r := range found.Runs {
			d.runs[r.Info.RunID] = r
		}
		if in.Page = found.Next; in.Page == "" {
			return nil
		}
	}
	return tooMany(what)
}

// cursorOf is the place after a version.
func cursorOf(v modelVersion) port.Cursor {
	return port.Cursor(fmt.Sprintf("%d/%d/%s", v.Created, v.Version, v.Name))
}

func parseCursor(c port.Cursor) (*modelVersion, error) {
	if c == "" {
		return nil, nil //nolint:nilnil // the start of the list
	}
	parts := strings.SplitN(string(c), "/", 3)
	if len(parts) == 3 {
		created, err := strconv.ParseInt(parts[0], 10, 64)
		version, err2 := strconv.Atoi(parts[1])
		if err == nil && err2 == nil {
			return &modelVersion{Created: integer(created), Version: integer(version), Name: parts[2]}, nil
		}
	}
	return nil, fault.New(fault.Invalid, "list the models: invalid cursor %q", c)
}
