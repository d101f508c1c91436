package buildkit

import (
	"strconv"
	"strings"
	"time"

	"github.com/moby/buildkit/client"

	"github.com/slipway-cd/slipway/internal/ocilayout"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/redact"
)

// fileTime is the latest time that a file in a layer may bear, and the image's own.
// It is the same for every commit, not the commit's own: so what did not change
// keeps its digest and is not pushed again, whenever and wherever it was made.
// WORKDIR and Python's compiled files take it, too, by SOURCE_DATE_EPOCH; a new one for each commit would undo the cache.
func fileTime() time.Time { return ocilayout.CreationTime() }

// epochArgument is how commands and BuildKit hear of that time.
const epochArgument = "SOURCE_DATE_EPOCH"

// buildJob is one build.
type buildJob struct {
	client   *client.Client
	order    port.BuildRequest
	source   source
	redactor *redact.Redactor
	cacheDir string // folder that remembers what layers became
	local    bool   // BuildKit is on this machine
	syntax   string // what the Dockerfile's "# syntax=" line names, if BuildKit's own frontend stands in for it
}

// compression is how layers travel; they are compressed here, whatever they come
// as. Over a network, and for a cache in a registry, bytes are dear.
func (w buildJob) compression() string {
	if w.local && w.order.Dockerfile.Cache == "" {
		return "uncompressed"
	}
	return "gzip"
}

// attributes are what the Dockerfile's frontend reads. There is no attestation
// among them: provenance is Slipway's own.
func (w buildJob) attributes() map[string]string {
	d := w.order.Dockerfile
	a := map[string]string{"filename": w.source.file}
	if w.syntax != "" {
		a[cmdlineAttribute] = w.syntax
	}
	for key, value := range d.Args {
		a["build-arg:"+key] = value
	}
	if _, own := d.Args[epochArgument]; !own {
		a["build-arg:"+epochArgument] = strconv.FormatInt(fileTime().Unix(), 10)
	}
	if d.Target != "" {
		a["target"] = d.Target
	}
	if len(d.Platforms) > 0 {
		a["platform"] = strings.Join(d.Platforms, ",")
	}
	return a
}

// imageOrigin returns what the image states about itself.
func (w buildJob) imageOrigin() origin {
	d, files := w.order.Dockerfile, fileTime()
	if own, err := strconv.ParseInt(d.Args[epochArgument], 10, 64); err == nil {
		files = time.Unix(own, 0).UTC()
	}
	return origin{files: files, service: w.order.Service, params: buildParams{
		Dockerfile: d.Path, Context: d.Context, Target: d.Target, Args: d.Args,
	}}
}

func progressFunc(o port.BuildRequest) func(string) {
	if o.OnProgress == nil {
		return func(string) {}
	}
	return o.OnProgress
}
