//go:build e2e

package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/randommanifests"
	"github.com/slipway-cd/slipway/internal/port"
)

// maxSettle is how long what follows the last call may take: pods end, nodes follow.
const maxSettle = 20 * time.Second

// check checks that the release that was accepted last serves, that nothing of another
// one is left, and that no request was lost.
func (r *randomRun) check(after string) {
	r.t.Helper()
	if r.t.Failed() {
		return
	}
	want := r.accepted[0]
	if obs, err := r.target.Observe(r.t.Context(), "sample", "test"); err != nil || obs.Release != want.request.ID {
		r.t.Errorf("after %s: release %s (%v), want %s (%s)", after, obs.Release, err, want.request.ID, want.set.Version)
	}
	if r.load == nil {
		r.load = startSteadyLoad(r.serviceURL())
	}
	if !r.eventually(func() bool { return r.load.lastVersion() == want.set.Version }) {
		r.t.Errorf("after %s: %q responds (%s), want %s", after, r.load.lastVersion(), r.load.lastError(), want.set.Version)
	}
	var left string
	if !r.eventually(func() bool { left = cmp.Diff(want.set.Objects(), r.objects(want.set)); return left == "" }) {
		r.t.Errorf("after %s: objects of %s (-want +got):\n%s", after, want.set.Version, left)
	}
	if !r.eventually(func() bool { left = r.foreignPods(); return left == "" }) {
		r.t.Errorf("after %s: pods of other releases than %s: %s", after, want.set.Version, left)
	}
	n := r.load.count()
	if !r.eventually(func() bool { return r.load.count() > n }) { // the one that is on its way belongs to this step
		r.t.Errorf("after %s: a request does not end", after)
	}
	requests, failures := r.load.take()
	if len(failures) > 0 && !r.mayLose {
		r.t.Errorf("after %s: %d of %d requests failed: %q", after, len(failures), requests, failures[:min(3, len(failures))])
	}
	ready, minReady := 0, want.set.MinReplicas()
	if r.scaled {
		minReady = 1 // perhaps after the release's own number was applied
	}
	enough := func() bool { ready = r.readyReplicas(want.set.Deployment); return ready >= minReady }
	if !r.eventually(enough) { // an autoscaler looks every 15 s
		r.t.Errorf("after %s: %d ready pods, want at least %d", after, ready, minReady)
	}
	r.mayLose = false
}

// serviceURL returns the URL of the Service within the cluster, which nodes route.
func (r *randomRun) serviceURL() string {
	r.t.Helper()
	ip := r.kubectl("-n", r.namespace, "get", "service", randommanifests.ServiceName, "-o", "jsonpath={.spec.clusterIP}")
	return "http://" + strings.TrimSpace(ip) + "/health"
}

// objects returns the names of what there is, of the kinds that the set counts.
func (r *randomRun) objects(set randommanifests.Set) map[string][]string {
	r.t.Helper()
	out := map[string][]string{}
	for kind := range set.Objects() {
		out[kind] = nil
	}
	var list struct {
		Items []struct {
			Kind     string
			Metadata struct{ Name string }
		}
	}
	r.getJSON(&list, strings.Join(sortedKeys(out), ","))
	for _, o := range list.Items {
		kind := strings.ToLower(o.Kind) + "s"
		out[kind] = append(out[kind], o.Metadata.Name)
	}
	for _, names := range out {
		slices.Sort(names)
	}
	return out
}

func sortedKeys(m map[string][]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// foreignPods names the pods of Deployments that belong to another release and are not
// ending.
func (r *randomRun) foreignPods() string {
	r.t.Helper()
	var list podList
	r.getJSON(&list, "pods")
	var out []string
	for _, p := range list.Items {
		owned := slices.ContainsFunc(p.Metadata.OwnerReferences, func(o struct{ Kind string }) bool { return o.Kind == "ReplicaSet" })
		if owned && p.Metadata.DeletionTimestamp == "" && p.Metadata.Labels["slipway.dev/release"] != string(r.accepted[0].request.ID) {
			out = append(out, p.Metadata.Name)
		}
	}
	return strings.Join(out, " ")
}

type podList struct {
	Items []struct {
		Metadata struct {
			Name, DeletionTimestamp string
			Labels                  map[string]string
			OwnerReferences         []struct{ Kind string }
		}
	}
}

func (r *randomRun) readyReplicas(deployment string) int {
	r.t.Helper()
	var d struct{ Status struct{ ReadyReplicas int } }
	r.getJSON(&d, "deployment", deployment)
	return d.Status.ReadyReplicas
}

// jobs returns the Jobs of the release, by name and UID. Those of CronJobs are none.
func (r *randomRun) jobs() map[string]bool {
	r.t.Helper()
	var list struct {
		Items []struct {
			Metadata struct {
				Name, UID       string
				OwnerReferences []struct{ Kind string }
			}
		}
	}
	r.getJSON(&list, "jobs")
	out := map[string]bool{}
	for _, j := range list.Items {
		if len(j.Metadata.OwnerReferences) == 0 {
			out[fmt.Sprintf("Job %s (%s)", j.Metadata.Name, j.Metadata.UID)] = true
		}
	}
	return out
}

func (r *randomRun) getJSON(into any, args ...string) {
	r.t.Helper()
	text := r.kubectl(append([]string{"-n", r.namespace, "get", "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(text), into); err != nil {
		r.t.Fatal(err)
	}
}

// restarted returns the cause of a restart of one of the release's pods, as the bake
// sees it; nil: there is none for maxSettle.
func (r *randomRun) restarted(o port.DeployRequest) (cause error) {
	r.eventually(func() bool {
		obs, err := r.target.Observe(r.t.Context(), o.Service, o.Environment)
		if err != nil {
			return false // the API server is away
		}
		for _, replica := range obs.Replicas {
			if replica.Release == o.ID && replica.Restarts > 0 {
				cause = fmt.Errorf("%s restarted: %s", replica.Name, replica.Cause)
			}
		}
		return cause != nil
	})
	return cause
}

func (r *randomRun) eventually(ok func() bool) bool {
	for end := time.Now().Add(maxSettle); ; time.Sleep(200 * time.Millisecond) {
		if ok() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// steadyLoad requests a URL over and over, each time with a new connection.
type steadyLoad struct {
	stop func()

	mu       sync.Mutex
	requests int
	failures []string
	version  string
}

// loadPeriod is the pause between two requests.
const loadPeriod = 25 * time.Millisecond

func startSteadyLoad(url string) *steadyLoad {
	l, end, ended := &steadyLoad{}, make(chan struct{}), make(chan struct{})
	l.stop = sync.OnceFunc(func() { close(end); <-ended })
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			case <-time.After(loadPeriod):
				l.add(request(client, url))
			}
		}
	}()
	return l
}

func request(client *http.Client, url string) (version string, err error) {
	resp, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", resp.StatusCode)
	}
	var said struct{ Version string }
	if err == nil {
		err = json.Unmarshal(text, &said)
	}
	return said.Version, err
}

func (l *steadyLoad) add(version string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests++
	if err != nil {
		l.failures = append(l.failures, err.Error())
		return
	}
	l.version = version
}

func (l *steadyLoad) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests
}

func (l *steadyLoad) lastVersion() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.version
}

func (l *steadyLoad) lastError() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.failures) == 0 {
		return "no error"
	}
	return l.failures[len(l.failures)-1]
}

// take returns the requests since the last call, and the errors among them.
func (l *steadyLoad) take() (requests int, failures []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	requests, failures = l.requests, l.failures
	l.requests, l.failures = 0, nil
	return requests, failures
}
