package kubernetes

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/promtext"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// metricsPath is where services tell their figures, by custom.
const metricsPath = "/metrics"

// baseline is what pods had counted when a window began. Counters only grow, so
// a window is a difference. It is kept in memory: a window that another process
// began is counted from when this one first looks.
type baseline struct {
	since time.Time
	pods  map[string]port.Sample
}

// Traffic sums up what the release's pods answered, from their own figures.
func (t *Target) Traffic(ctx context.Context, service string, env delivery.Environment, id delivery.ReleaseID, since time.Time) (port.Traffic, error) {
	s, err := t.window(ctx, service, env, id, since)
	if err != nil {
		return port.Traffic{}, err
	}
	out := port.Traffic{Requests: s.Requests, Errors: s.Errors}
	out.P50, out.P95, out.P99 = quantile(s, .5), quantile(s, .95), quantile(s, .99)
	return out, nil
}

// Compare measures the order's release and the one that serves beside it.
func (t *Target) Compare(ctx context.Context, o port.DeployRequest, since time.Time) (candidate, running port.Sample, err error) {
	c, err := t.connected()
	if err != nil {
		return candidate, running, err
	}
	st, err := c.state(ctx, o.Service, o.Environment)
	if err != nil {
		return candidate, running, err
	}
	if candidate, err = t.window(ctx, o.Service, o.Environment, o.ID, since); err != nil {
		return candidate, running, err
	}
	if st.traffic != "" && st.traffic != o.ID {
		running, err = t.window(ctx, o.Service, o.Environment, st.traffic, since)
	}
	return candidate, running, err
}

// window is what a release's pods answered since then.
func (t *Target) window(ctx context.Context, service string, env delivery.Environment, id delivery.ReleaseID, since time.Time) (port.Sample, error) {
	c, err := t.connected()
	if err != nil {
		return port.Sample{}, err
	}
	now, err := t.scrape(ctx, c, service, env, id)
	if err != nil {
		return port.Sample{}, err
	}
	name := forwardKey(service, env, id)
	t.mu.Lock()
	defer t.mu.Unlock()
	base, ok := t.measured[name]
	if !ok || !base.since.Equal(since) {
		base = baseline{since, now}
		t.measured[name] = base
	}
	var all []port.Sample
	for pod, s := range now {
		all = append(all, promtext.Sub(s, base.pods[pod])) // a pod that came later counts from its start
	}
	return promtext.Add(all...), nil
}

// scrape asks each of a release's ready pods for its figures.
func (t *Target) scrape(ctx context.Context, c *cluster, service string, env delivery.Environment, id delivery.ReleaseID) (map[string]port.Sample, error) {
	st, err := c.state(ctx, service, env)
	if err != nil {
		return nil, err
	}
	found, err := c.podsOf(ctx, service, env)
	if err != nil {
		return nil, err
	}
	tun := t.figuresBy(c)
	out := map[string]port.Sample{}
	for _, pod := range found {
		if releaseOf(pod) != id || !podReady(pod) {
			continue
		}
		s, err := figures(ctx, tun, pod, portOf(st.entries, pod))
		switch {
		case fault.Is(err, fault.NotFound):
			return nil, err
		case err != nil:
			return nil, fault.New(fault.Unavailable, "read the figures of pod %s", pod.Name).Cause(err)
		}
		out[pod.Name] = s
	}
	return out, nil
}

// figuresBy are the connections that figures are read through.
func (t *Target) figuresBy(c *cluster) *tunnels {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.scraping == nil {
		t.scraping = newTunnels(c)
	}
	return t.scraping
}

// scrapeTime is how long one pod may take to tell its figures.
const scrapeTime = 5 * time.Second

func figures(ctx context.Context, tun *tunnels, pod corev1.Pod, number int) (port.Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, scrapeTime)
	defer cancel()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			s, err := tun.dial(ctx, pod.Name, number)
			if err != nil {
				return nil, err
			}
			return conversation{s}, nil
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+pod.Name+metricsPath, nil)
	if err != nil {
		return port.Sample{}, fmt.Errorf("ask for %s: %w", metricsPath, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return port.Sample{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusInternalServerError {
		return port.Sample{}, fault.New(fault.Unavailable, "%s answers %d", metricsPath, resp.StatusCode)
	}
	if resp.StatusCode != http.StatusOK {
		return port.Sample{}, uncounted(fmt.Errorf("%s answers %d", metricsPath, resp.StatusCode))
	}
	s, err := promtext.Read(resp.Body, promtext.MetricNames{}, excluded(pod))
	if fault.Is(err, fault.Unavailable) && ctx.Err() == nil {
		return s, uncounted(err)
	}
	return s, err
}

// uncounted is a service that does not tell what it answers: asking again will
// not change that.
func uncounted(err error) error {
	return fault.New(fault.NotFound, "the service does not count its requests").Cause(err).
		Hint("serve Prometheus metrics at %s: a counter of requests with the status code, and a histogram of their time", metricsPath)
}

// excluded are paths that no user asks for.
func excluded(pod corev1.Pod) []string {
	paths := promtext.ProbePaths(metricsPath)
	for _, c := range pod.Spec.Containers {
		for _, p := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
			if p != nil && p.HTTPGet != nil {
				paths = append(paths, p.HTTPGet.Path)
			}
		}
	}
	return paths
}

// quantile is about the latency below which that share of the requests was; 0
// when it was not measured.
func quantile(s port.Sample, q float64) time.Duration {
	if len(s.Latency) == 0 {
		return 0
	}
	total := s.Latency[len(s.Latency)-1].Count
	if total == 0 {
		return 0
	}
	rank, low, below := q*float64(total), 0.0, int64(0)
	for _, b := range s.Latency {
		if float64(b.Count) >= rank {
			if math.IsInf(b.Le, 1) || b.Count == below {
				return time.Duration(low * float64(time.Second))
			}
			part := (rank - float64(below)) / float64(b.Count-below)
			return time.Duration((low + (b.Le-low)*part) * float64(time.Second))
		}
		low, below = b.Le, b.Count
	}
	return time.Duration(low * float64(time.Second))
}

// conversation makes a stream a net.Conn, for HTTP. Its deadlines are the
// request's context.
type conversation struct{ *stream }

// LocalAddr and the methods below are what net.Conn wants besides.
func (conversation) LocalAddr() net.Addr              { return nowhere{} }
func (conversation) RemoteAddr() net.Addr             { return nowhere{} }
func (conversation) SetDeadline(time.Time) error      { return nil }
func (conversation) SetReadDeadline(time.Time) error  { return nil }
func (conversation) SetWriteDeadline(time.Time) error { return nil }

type nowhere struct{}

func (nowhere) Network() string { return portForward }
func (nowhere) String() string  { return portForward }
