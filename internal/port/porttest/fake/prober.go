package fake

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Prober asks the releases of a Target. A release answers its health path with
// its name and its model's version, and everything else with 404, unless Answer
// says otherwise.
type Prober struct {
	Target *Target
	Fuse   *Fuse
	// Respond may speak for a release; ok false leaves it to the release.
	Respond func(id delivery.ReleaseID, path string, q port.ProbeRequest) (r port.ProbeResponse, ok bool, err error)

	mu   sync.Mutex
	URLs []string // URLs, in order; read it when nothing runs
}

var _ port.Prober = (*Prober)(nil)

// Probe answers as the release behind the URL.
func (p *Prober) Probe(ctx context.Context, q port.ProbeRequest) (port.ProbeResponse, error) {
	defer p.Fuse.call()()
	p.mu.Lock()
	p.URLs = append(p.URLs, q.URL)
	p.mu.Unlock()
	if ctx.Err() != nil {
		return port.ProbeResponse{}, fault.New(fault.Unavailable, "ask %s", q.URL).Cause(context.Cause(ctx))
	}
	u, err := url.Parse(q.URL)
	if err != nil {
		return port.ProbeResponse{}, fault.New(fault.Unavailable, "ask %s", q.URL).Cause(err)
	}
	id, rel, ok := p.behind(u.Host)
	if !ok {
		return port.ProbeResponse{}, fault.New(fault.Unavailable, "ask %s: connection refused", q.URL)
	}
	if p.Target.outage() != "" {
		return port.ProbeResponse{}, fault.New(fault.Unavailable, "ask %s: connection refused", q.URL)
	}
	if p.Respond != nil {
		if r, spoken, err := p.Respond(id, u.Path, q); spoken || err != nil {
			return r, err
		}
	}
	if u.Path != rel.Workload.Health {
		return port.ProbeResponse{Status: http.StatusNotFound}, nil
	}
	return HealthResponse("ok", id, rel.Model), nil
}

// HealthResponse is the answer of a service that names itself.
func HealthResponse(status string, id delivery.ReleaseID, model *delivery.ModelRef) port.ProbeResponse {
	say := map[string]any{"status": status, "release": id}
	if model != nil {
		say["model_version"] = strconv.Itoa(model.Version)
	}
	body, _ := json.Marshal(say)
	return port.ProbeResponse{Status: http.StatusOK, Body: body, Header: http.Header{"Content-Type": {"application/json"}}}
}

func (p *Prober) behind(host string) (delivery.ReleaseID, delivery.Release, bool) {
	p.Target.mu.Lock()
	defer p.Target.mu.Unlock()
	if env, ok := strings.CutPrefix(host, "stable."); ok {
		s := p.Target.scene(delivery.Environment(env))
		r, there := s.running[s.serving]
		return s.serving, r, there
	}
	id, env, _ := strings.Cut(host, ".staged.")
	s := p.Target.scene(delivery.Environment(env))
	r, there := s.running[delivery.ReleaseID(id)]
	return delivery.ReleaseID(id), r, there
}
