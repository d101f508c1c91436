//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"
)

// Labels that Slipway sets in a cluster.
const (
	releaseLabel = "slipway.dev/release"
	recordLabel  = "slipway.dev/record"
)

// pod is the part of a pod that the tests read.
type pod struct {
	Metadata struct {
		Name              string
		Labels            map[string]string
		Annotations       map[string]string
		DeletionTimestamp *time.Time
	}
	Spec struct {
		InitContainers, Containers []struct {
			Name, Image string
			Args        []string
			Env         []struct{ Name, Value string }
		}
	}
	Status struct {
		InitContainerStatuses []struct {
			State struct{ Terminated *struct{ ExitCode int } }
		}
	}
}

// getJSON decodes the output of kubectl get in the namespace.
func getJSON[T any](h *clusterProject, args ...string) T {
	h.t.Helper()
	var doc T
	h.must(json.Unmarshal([]byte(h.kubectlIn(append([]string{"get", "-o", "json"}, args...)...)), &doc))
	return doc
}

// pods returns the pods that are not being deleted.
func (h *clusterProject) pods() []pod {
	h.t.Helper()
	all := getJSON[struct{ Items []pod }](h, "pods").Items
	return slices.DeleteFunc(all, func(p pod) bool { return p.Metadata.DeletionTimestamp != nil })
}

func (h *clusterProject) podNames() []string {
	h.t.Helper()
	var names []string
	for _, p := range h.pods() {
		names = append(names, p.Metadata.Name)
	}
	sort.Strings(names)
	return names
}

// configMaps returns the data of the service's ConfigMaps, by name.
func (h *clusterProject) configMaps() map[string]string {
	h.t.Helper()
	type configMap struct {
		Metadata struct {
			Name   string
			Labels map[string]string
		}
		Data, BinaryData json.RawMessage
	}
	out := map[string]string{}
	for _, c := range getJSON[struct{ Items []configMap }](h, "configmaps").Items {
		if c.Metadata.Labels[recordLabel] == "" && c.Metadata.Name != "kube-root-ca.crt" {
			out[c.Metadata.Name] = string(c.Data) + string(c.BinaryData)
		}
	}
	return out
}

// usedConfigMap returns the ConfigMap of the Deployment's first container.
func (h *clusterProject) usedConfigMap(deployment string) string {
	h.t.Helper()
	return h.kubectlIn("get", "deployment", deployment, "-o", "jsonpath={.spec.template.spec.containers[0].envFrom[0].configMapRef.name}")
}

// propagationDelay is how long a node may take to stop sending requests to a
// terminating pod, which keeps responding until then.
const propagationDelay = 3 * time.Second

// jobLabel is a label of pods of Jobs, which belong to no release.
const jobLabel = "batch.kubernetes.io/job-name"

// requireServing checks that records, cluster and service agree that the release is
// the only one in prod, and returns the status.
func (h *clusterProject) requireServing(service, release string) status {
	h.t.Helper()
	st := h.status("prod")
	if st.Release != release || st.Health != "healthy" || st.Model == nil {
		h.t.Fatalf("status = %+v, want release %s, healthy, with a model", st, release)
	}
	url, id, err := h.serviceURL(service), identity{}, error(nil)
	h.eventually(propagationDelay, func() bool { id, err = h.health(url); return err == nil && id.Release == release })
	h.must(err)
	if id.Release != release || id.ModelVersion != fmt.Sprint(st.Model.Version) {
		h.t.Fatalf("/health = %+v, want release %s with model version %d", id, release, st.Model.Version)
	}
	for _, p := range h.pods() {
		if p.Metadata.Labels[jobLabel] == "" && p.Metadata.Labels[releaseLabel] != release {
			h.t.Fatalf("pod %s of release %s exists, want only pods of %s", p.Metadata.Name, p.Metadata.Labels[releaseLabel], release)
		}
	}
	return st
}

// scenario runs one of several scenarios that share a cluster project, in order.
func (h *clusterProject) scenario(name string, run func()) bool {
	parent := h.t
	return parent.Run(name, func(t *testing.T) {
		h.t = t
		begun := time.Now()
		defer func() {
			if t.Failed() {
				h.dumpNamespace()
			}
			t.Logf("took %s", time.Since(begun).Round(100*time.Millisecond))
			h.t = parent
		}()
		run()
	})
}

// dumpNamespace logs the state of the namespace, for diagnostics.
func (h *clusterProject) dumpNamespace() {
	for _, args := range [][]string{
		{"get", "deployments,replicasets,pods,services,endpointslices,configmaps,horizontalpodautoscalers,leases", "-o", "wide", "--show-labels"},
		{"get", "events", "--sort-by=.lastTimestamp"},
	} {
		out, err := h.cluster.Kubectl(context.Background(), append([]string{"-n", h.namespace}, args...)...)
		h.t.Logf("$ kubectl %s (%v)\n%s", strings.Join(args, " "), err, truncate(out))
	}
	for _, r := range h.results[max(0, len(h.results)-2):] {
		h.t.Logf("%s", r)
	}
}

// postRequests sends requests to one service at a constant rate, each over a new
// connection.
func postRequests(url, body string, perSecond int) *loadGenerator {
	u := &loadGenerator{stop: make(chan struct{})}
	u.wg.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for {
			select {
			case <-u.stop:
				return
			case <-tick.C:
				u.wg.Go(func() { u.postOnce(url, body) })
			}
		}
	})
	return u
}

func (u *loadGenerator) postOnce(url, body string) {
	begun := time.Now()
	said := func() string {
		resp, err := client.Post(url+"/predict", "application/json", bytes.NewReader([]byte(body)))
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return err.Error()
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Sprintf("status %d: %s", resp.StatusCode, text)
		}
		return ""
	}()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.requests++
	if said != "" {
		u.failures = append(u.failures, fmt.Sprintf("at %s: %s", begun.Format("15:04:05.000"), said))
	}
}

// underLoad runs something under 50 requests per second, of which at most the given
// share may fail.
func (h *clusterProject) underLoad(url, body string, maxFailed float64, do func() result) result {
	h.t.Helper()
	u := postRequests(url, body, 50)
	r := do()
	asked, failures := u.stopAndCount()
	if asked == 0 || float64(len(failures)) > maxFailed*float64(asked) {
		h.t.Errorf("of %d requests, %d failed, want at most %g %%\n%s\n%s", asked, len(failures), 100*maxFailed,
			strings.Join(failures[:min(5, len(failures))], "\n"), r)
	}
	return r
}
