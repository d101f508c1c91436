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

// Labels and annotations that Slipway gives to things in a cluster.
const (
	releaseLabel = "slipway.dev/release"
	recordLabel  = "slipway.dev/record"
)

// pod is what the tests look at of a pod.
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

// found reads what kubectl get prints of things in the namespace.
func found[T any](h *harbour, args ...string) T {
	h.t.Helper()
	var doc T
	h.must(json.Unmarshal([]byte(h.in(append([]string{"get", "-o", "json"}, args...)...)), &doc))
	return doc
}

// pods are those that are not told to end.
func (h *harbour) pods() []pod {
	h.t.Helper()
	all := found[struct{ Items []pod }](h, "pods").Items
	return slices.DeleteFunc(all, func(p pod) bool { return p.Metadata.DeletionTimestamp != nil })
}

func (h *harbour) podNames() []string {
	h.t.Helper()
	var names []string
	for _, p := range h.pods() {
		names = append(names, p.Metadata.Name)
	}
	sort.Strings(names)
	return names
}

// configMaps are the data of the service's own ConfigMaps, by name.
func (h *harbour) configMaps() map[string]string {
	h.t.Helper()
	type configMap struct {
		Metadata struct {
			Name   string
			Labels map[string]string
		}
		Data, BinaryData json.RawMessage
	}
	out := map[string]string{}
	for _, c := range found[struct{ Items []configMap }](h, "configmaps").Items {
		if c.Metadata.Labels[recordLabel] == "" && c.Metadata.Name != "kube-root-ca.crt" {
			out[c.Metadata.Name] = string(c.Data) + string(c.BinaryData)
		}
	}
	return out
}

// referred is the ConfigMap that the Deployment's first container reads.
func (h *harbour) referred(deployment string) string {
	h.t.Helper()
	return h.in("get", "deployment", deployment, "-o", "jsonpath={.spec.template.spec.containers[0].envFrom[0].configMapRef.name}")
}

// hears is how long a node may take to hear that a pod which ends, and answers as
// long as it does, is to get no more requests.
const hears = 3 * time.Second

// agrees checks that records, cluster and service say of prod that the release
// serves, alone, and returns the status.
func (h *harbour) agrees(service, release string) status {
	h.t.Helper()
	st := h.status("prod")
	if st.Release != release || st.Health != "healthy" || st.Model == nil {
		h.t.Fatalf("want release %s, healthy; it is %+v", release, st)
	}
	url, id, err := h.reach(service), identity{}, error(nil)
	h.settle(hears, func() bool { id, err = h.health(url); return err == nil && id.Release == release })
	h.must(err)
	if id.Release != release || id.ModelVersion != fmt.Sprint(st.Model.Version) {
		h.t.Fatalf("/health says %+v; the records %s with model version %d", id, release, st.Model.Version)
	}
	for _, p := range h.pods() {
		if p.Metadata.Labels[releaseLabel] != release {
			h.t.Fatalf("pod %s of %s is left beside %s", p.Metadata.Name, p.Metadata.Labels[releaseLabel], release)
		}
	}
	return st
}

// part is one scenario of a test whose scenarios share a harbour, in order.
func (h *harbour) part(name string, do func()) bool {
	whole := h.t
	return whole.Run(name, func(t *testing.T) {
		h.t = t
		begun := time.Now()
		defer func() {
			if t.Failed() {
				h.describe()
			}
			t.Logf("took %s", time.Since(begun).Round(100*time.Millisecond))
			h.t = whole
		}()
		do()
	})
}

// describe prints what the namespace is like, for who has to find out.
func (h *harbour) describe() {
	for _, args := range [][]string{
		{"get", "deployments,replicasets,pods,services,endpointslices,configmaps,horizontalpodautoscalers,leases", "-o", "wide", "--show-labels"},
		{"get", "events", "--sort-by=.lastTimestamp"},
	} {
		out, err := h.c.Kubectl(context.Background(), append([]string{"-n", h.ns}, args...)...)
		h.t.Logf("$ kubectl %s (%v)\n%s", strings.Join(args, " "), err, clip(out))
	}
	for _, r := range h.said[max(0, len(h.said)-2):] {
		h.t.Logf("%s", r)
	}
}

// visit is users who ask something of one service, each over a new connection.
func visit(url, body string, perSecond int) *users {
	u := &users{stop: make(chan struct{})}
	u.wg.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for {
			select {
			case <-u.stop:
				return
			case <-tick.C:
				u.wg.Go(func() { u.visit(url, body) })
			}
		}
	})
	return u
}

func (u *users) visit(url, body string) {
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
	u.asked++
	if said != "" {
		u.failures = append(u.failures, fmt.Sprintf("at %s: %s", begun.Format("15:04:05.000"), said))
	}
}

// visited does something while 50 users a second ask. They may lose a share of
// their requests, which for most releases is none.
func (h *harbour) visited(url, body string, mayLose float64, do func() result) result {
	h.t.Helper()
	u := visit(url, body, 50)
	r := do()
	asked, failures := u.leave()
	if asked == 0 || float64(len(failures)) > mayLose*float64(asked) {
		h.t.Errorf("of %d requests failed %d, they may lose %g %%\n%s\n%s", asked, len(failures), 100*mayLose,
			strings.Join(failures[:min(5, len(failures))], "\n"), r)
	}
	return r
}
