package kubernetes

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// How much of a log is read.
const (
	logLines    = 10
	mostLogLine = 16 << 10
	mostLog     = 1 << 20
)

// logs returns the last lines of a container, oldest first; of its instance
// before this one with previous.
func (c *cluster) logs(ctx context.Context, namespace, pod, container string, previous bool, lines int) ([]string, error) {
	query := url.Values{"container": {container}, "tailLines": {strconv.Itoa(lines)}, "limitBytes": {strconv.Itoa(mostLog)}}
	if previous {
		query.Set("previous", "true")
	}
	body, err := c.raw(ctx, http.MethodGet, fmt.Sprintf("/api/v1/namespaces/%s/pods/%s/log", namespace, pod), query)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var out []string
	scanner := bufio.NewScanner(io.LimitReader(body, mostLog))
	scanner.Buffer(nil, mostLogLine)
	for scanner.Scan() {
		out = append(out, scanner.Text())
	}
	if err := scanner.Err(); err != nil {
		return out, fmt.Errorf("read the log of %s: %w", pod, err)
	}
	return out, nil
}

// raw asks for what is no object.
func (c *cluster) raw(ctx context.Context, method, path string, query url.Values) (io.ReadCloser, error) {
	client, err := rest.HTTPClientFor(c.config)
	if err != nil {
		return nil, fault.New(fault.Invalid, "connect to %s", c.config.Host).Cause(err)
	}
	base, _, err := rest.DefaultServerUrlFor(c.config)
	if err != nil {
		return nil, fault.New(fault.Invalid, "connect to %s", c.config.Host).Cause(err)
	}
	at := base.JoinPath(path)
	at.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, at.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", path, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, unreachable("ask "+path, err)
	}
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		resp.Body.Close()
		kind := fault.Unavailable
		if resp.StatusCode == http.StatusForbidden || resp.StatusCode == http.StatusUnauthorized {
			kind = fault.Denied
		}
		return nil, fault.New(kind, "ask %s: %s: %s", path, resp.Status, strings.Join(strings.Fields(string(said)), " "))
	}
	return resp.Body, nil
}

// LogReader returns the last lines of every pod: "pod | text".
func (t *Target) ReplicaLogs(ctx context.Context, service string, env delivery.Environment, lines int) ([]string, error) {
	c, err := t.connected()
	if err != nil {
		return nil, err
	}
	found, err := c.podsOf(ctx, service, env)
	if err != nil {
		return nil, err
	}
	sort.Slice(found, func(i, j int) bool {
		return found[i].CreationTimestamp.Before(&found[j].CreationTimestamp)
	})
	var out []string
	for _, pod := range found {
		for _, container := range allContainers(pod) {
			said, err := c.logs(ctx, pod.Namespace, pod.Name, container, false, lines)
			if err != nil && ctx.Err() != nil {
				return out, context.Cause(ctx)
			}
			for _, line := range said { // one that has not begun has no log
				out = append(out, pod.Name+" | "+line)
			}
		}
	}
	return out, nil
}

func allContainers(pod corev1.Pod) []string {
	var names []string
	for _, c := range pod.Spec.InitContainers {
		names = append(names, c.Name)
	}
	for _, c := range pod.Spec.Containers {
		names = append(names, c.Name)
	}
	return names
}
