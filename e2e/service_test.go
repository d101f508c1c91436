//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// status is the document of `slipway status --env E --json`.
type status struct {
	Environment string `json:"environment"`
	Release     string `json:"release"`
	Instance    string `json:"instance"`
	Commit      string `json:"commit"`
	Dirty       bool   `json:"dirty"`
	Image       struct{ Reference, Digest string }
	Model       *struct {
		Group   string
		Version int
		Digest  string
	}
	URL      string `json:"url"`
	By       string `json:"by"`
	Replaced string `json:"replaced"`
	Health   string `json:"health"`
	Traffic  string `json:"traffic"`
	Replicas []struct {
		Name, Release, State string
		Restarts             int
	}
	Entering    *deployment
	Quarantined []struct{ Release, Reason string }
	History     []deployment
	Unfinished  []string
	Notes       []string
}

type deployment struct {
	Release string `json:"release"`
	Run     string `json:"run"`
	State   string `json:"state"`
	Reason  string `json:"reason"`
	By      string `json:"by"`
}

// identity is the response of /health.
type identity struct {
	Status       string `json:"status"`
	Release      string `json:"release"`
	ModelVersion string `json:"model_version"`
}

// client opens a new connection for each request, as a new user does.
var client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func (p *project) status(env string) status {
	p.t.Helper()
	return runJSON[status](p, "status", "--env", env)
}

// health requests /health of the service itself.
func (p *project) health(url string) (identity, error) {
	var id identity
	resp, err := client.Get(url + "/health")
	if err != nil {
		return id, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return id, fmt.Errorf("GET %s/health: status %d", url, resp.StatusCode)
	}
	return id, json.NewDecoder(resp.Body).Decode(&id)
}

// wantDeployed checks that records, target and service agree that prod serves the
// release, and returns the status.
func (p *project) wantDeployed(release string) status {
	p.t.Helper()
	return p.wantDeployedIn("prod", release)
}

func (p *project) wantDeployedIn(env, release string) status {
	p.t.Helper()
	st := p.status(env)
	if st.Release != release || st.Health != "healthy" || st.Model == nil {
		p.t.Fatalf("status of %s = %+v, want release %s, healthy, with a model", env, st, release)
	}
	id, err := p.health(st.URL)
	p.must(err)
	if name, _, _ := strings.Cut(strings.TrimPrefix(id.Release, "r-"), "-"); "r-"+name != release || id.ModelVersion != strconv.Itoa(st.Model.Version) {
		p.t.Fatalf("/health = release %s, model version %s, want %s and %d as in the records",
			id.Release, id.ModelVersion, release, st.Model.Version)
	}
	if status, body := predict(st.URL, 21); status != http.StatusOK {
		p.t.Fatalf("/predict: status %d, want 200: %s", status, body)
	}
	return st
}

// predict requests twice n; status 0 means no response.
func predict(url string, n int) (status int, body string) {
	resp, err := client.Post(url+"/predict", "application/json", bytes.NewReader(fmt.Appendf(nil, `{"n": %d}`, n)))
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(text)
}

// loadGenerator sends requests to a service at a constant rate until it is stopped.
type loadGenerator struct {
	stop chan struct{}
	wg   sync.WaitGroup

	mu       sync.Mutex
	requests int
	failures []string
}

// startLoad starts a generator; it requests the predictions of 1, 2, 3...
func startLoad(url string, perSecond int) *loadGenerator {
	u := &loadGenerator{stop: make(chan struct{})}
	u.wg.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-u.stop:
				return
			case <-tick.C:
				u.wg.Go(func() { u.predictOnce(url, n) })
			}
		}
	})
	return u
}

func (u *loadGenerator) predictOnce(url string, n int) {
	status, body := predict(url, n)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.requests++
	if status != http.StatusOK {
		u.failures = append(u.failures, fmt.Sprintf("n=%d: status %d: %s", n, status, body))
	}
}

// stopAndCount stops the generator and returns its requests and failures.
func (u *loadGenerator) stopAndCount() (asked int, failures []string) {
	close(u.stop)
	u.wg.Wait()
	return u.requests, u.failures
}
