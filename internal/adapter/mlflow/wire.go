package mlflow

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// keyValue is a tag or a parameter.
type keyValue struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// metric is a number of a run.
type metric struct {
	Key       string  `json:"key"`
	Value     float64 `json:"value"`
	Timestamp int64   `json:"timestamp"`
	Step      int64   `json:"step"`
}

// integer is an int64, which servers write as a number or as text.
type integer int64

// UnmarshalJSON accepts both.
func (i *integer) UnmarshalJSON(raw []byte) error {
	n, err := strconv.ParseInt(string(bytes.Trim(raw, `"`)), 10, 64)
	if err != nil {
		return fmt.Errorf("%.40q is not a whole number", raw)
	}
	*i = integer(n)
	return nil
}

// modelVersion is a version of a registered model.
type modelVersion struct {
	Name    string     `json:"name"`
	Version integer    `json:"version"`
	Created integer    `json:"creation_timestamp"` // milliseconds
	RunID   string     `json:"run_id"`
	Tags    []keyValue `json:"tags"`
	Aliases []string   `json:"aliases"` // not in a search's result
}

func (v modelVersion) tag(key string) string { return valueOf(v.Tags, key) }

func (v modelVersion) createdAt() time.Time { return time.UnixMilli(int64(v.Created)).UTC() }

// run is a run of an experiment.
type run struct {
	Info struct {
		RunID string `json:"run_id"`
	} `json:"info"`
	Data struct {
		Params []keyValue `json:"params"`
	} `json:"data"`
}

func (r run) param(key string) string { return valueOf(r.Data.Params, key) }

func valueOf(all []keyValue, key string) string {
	for _, kv := range all {
		if kv.Key == key {
			return kv.Value
		}
	}
	return ""
}

// createVersion is the request for a new version.
type createVersion struct {
	Name        string     `json:"name"`
	Source      string     `json:"source"`
	RunID       string     `json:"run_id"`
	Description string     `json:"description,omitempty"`
	Tags        []keyValue `json:"tags"`
}

// runFields are what the requests about a run have.
type runFields struct {
	ExperimentID string     `json:"experiment_id,omitempty"`
	RunID        string     `json:"run_id,omitempty"`
	Name         string     `json:"run_name,omitempty"`
	Start        int64      `json:"start_time,omitempty"`
	End          int64      `json:"end_time,omitempty"`
	Status       string     `json:"status,omitempty"`
	Metrics      []metric   `json:"metrics,omitempty"`
	Params       []keyValue `json:"params,omitempty"`
	Tags         []keyValue `json:"tags,omitempty"`
}

// searchRuns is the request for runs of an experiment, a page at a time.
type searchRuns struct {
	Experiments []string `json:"experiment_ids"`
	Filter      string   `json:"filter,omitempty"`
	View        string   `json:"run_view_type"`
	Limit       int      `json:"max_results"`
	Page        string   `json:"page_token,omitempty"`
}

// versionField names a version, and a tag or an alias of it.
type versionField struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Alias   string `json:"alias,omitempty"`
	Key     string `json:"key,omitempty"`
	Value   string `json:"value,omitempty"`
}
