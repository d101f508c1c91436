//go:build linux

package supervisor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/container"
	"github.com/slipway-cd/slipway/internal/adapter/local/proxy"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// group is all the replicas of a release in an environment.
type group struct {
	cfg      *Config
	request  ReleaseRequest
	pool     *proxy.Pool
	replicas []*replica
	notes    []string
	model    *modelWatch
	contents []content

	mu       sync.Mutex
	draining bool
	changed  chan struct{}
}

// newGroup starts the replicas. It returns an error for an invalid configuration
// of the release.
func newGroup(cfg *Config, o ReleaseRequest) (*group, error) {
	spec, note, err := containerSpec(o)
	if lost := cfg.folder.check(); err != nil && lost != nil {
		return nil, fmt.Errorf("start %s: %w", o, lost)
	}
	if err != nil {
		return nil, fault.New(fault.Failed, "start %s", o).Cause(err)
	}
	g := &group{cfg: cfg, request: o, pool: proxy.NewPool(o.Release), contents: contentsOf(o.Spec), changed: make(chan struct{})}
	g.pool.TrustProxies(o.Spec.Proxies)
	if note != "" {
		g.notes = append(g.notes, note)
	}
	g.model = watchModel(o.Spec.Model)
	path := o.Spec.Workload.Ready
	if path == "" {
		path = o.Spec.Workload.Health
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	for i := range max(1, o.Spec.Workload.Replicas) {
		name := replicaName(o, i)
		r := &replica{
			cfg: cfg, name: name, spec: spec, readyPath: path, avoid: g.avoid, pool: g.pool, notify: g.notify,
			log:           replicaLog(cfg, o, name),
			stopRequested: make(chan struct{}), done: make(chan struct{}),
			status: port.Replica{Name: name, Release: o.Release, State: port.ReplicaStarting},
		}
		g.replicas = append(g.replicas, r)
		go r.run()
	}
	return g, nil
}

func replicaName(o ReleaseRequest, i int) string { return fmt.Sprintf("%s-%d", o.Release, i+1) }

// containerSpec returns the specification of a replica. Its environment is that
// of the image, then the workload's, then Slipway's variables, and nothing of
// this process.
func containerSpec(o ReleaseRequest) (spec container.Spec, note string, err error) {
	s := o.Spec
	user, note, err := container.ResolveUser(s.Rootfs, s.Image.User)
	if err != nil {
		return container.Spec{}, "", err
	}
	args := append([]string(nil), s.Image.Entrypoint...)
	if len(s.Workload.Args) > 0 {
		args = append(args, s.Workload.Args...)
	} else {
		args = append(args, s.Image.Cmd...)
	}
	own, err := expandEnv(s.Workload.Env, o.Secrets)
	if err != nil {
		return container.Spec{}, "", err
	}
	env := mergeEnv(s.Image.Env, own, map[string]string{
		"SLIPWAY_RELEASE":     string(o.Release),
		"SLIPWAY_ENVIRONMENT": string(o.Environment),
	})
	if s.Model != "" {
		env = mergeEnv(env, nil, map[string]string{"MODEL_PATH": "/model", "MODEL_VERSION": s.ModelVersion})
	}
	env = withoutEnv(env, "PORT") // set for each replica
	return container.Spec{
		Rootfs: s.Rootfs, Model: s.Model, Args: args, Env: env, Dir: s.Image.WorkingDir,
		User: user, CPU: s.Workload.CPU, Memory: s.Workload.Memory, Processes: container.MaxProcesses, Port: s.fixedPort(), Writable: s.Workload.Writable,
	}, note, nil
}

// expandEnv replaces ${NAME} in the values.
func expandEnv(env, secrets map[string]string) (map[string]string, error) {
	expanded := make(map[string]string, len(env))
	for name, text := range env {
		if len(extension.References(text)) == 0 {
			expanded[name] = text
			continue
		}
		value, err := extension.Expand(text, func(name string) (string, bool) { v, ok := secrets[name]; return v, ok })
		if err != nil {
			return nil, fault.New(fault.Invalid, "expand %s of deploy.env", name).
				Hint("set the variable where slipway runs, and start the service with `slipway up`: its value is not recorded").Cause(err)
		}
		expanded[name] = value
	}
	return expanded, nil
}

// mergeEnv merges environments. Later values win, and names are sorted.
func mergeEnv(base []string, more ...map[string]string) []string {
	all := map[string]string{}
	for _, kv := range base {
		if k, v, ok := strings.Cut(kv, "="); ok && k != "" {
			all[k] = v
		}
	}
	for _, m := range more {
		for k, v := range m {
			all[k] = v
		}
	}
	env := make([]string, 0, len(all))
	for k, v := range all {
		env = append(env, k+"="+v)
	}
	sort.Strings(env)
	return env
}

func withoutEnv(env []string, name string) []string {
	var kept []string
	for _, kv := range env {
		if !strings.HasPrefix(kv, name+"=") {
			kept = append(kept, kv)
		}
	}
	return kept
}

func (g *group) notify() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.changed)
	g.changed = make(chan struct{})
}

// waitReady waits until every replica is ready. If strict is set, it fails as
// soon as a replica exits; otherwise the release has been ready before and may
// recover.
func (g *group) waitReady(ctx context.Context, strict bool, say func(string)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, g.readyTimeout(), errReadyTimeout)
	defer cancel()
	reported := -1
	for {
		g.mu.Lock()
		changed := g.changed
		g.mu.Unlock()
		count := 0
		for _, r := range g.replicas {
			status, failures, _ := r.observe()
			if strict && failures > 0 {
				return r.startError(g.request, status)
			}
			if status.State == port.ReplicaReady {
				count++
			}
		}
		if count == len(g.replicas) {
			return nil
		}
		if count != reported {
			reported = count
			say(fmt.Sprintf("%d of %d replicas ready", count, len(g.replicas)))
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return g.notReadyError(context.Cause(ctx), count)
		}
	}
}

// readyTimeout returns the time the release may take to become ready.
func (g *group) readyTimeout() time.Duration {
	if g.request.ReadyTimeout > 0 {
		return g.request.ReadyTimeout.D()
	}
	return g.cfg.StartTimeout
}

var errReadyTimeout = fmt.Errorf("start timeout exceeded")

func (g *group) notReadyError(cause error, count int) error {
	if !errors.Is(cause, errReadyTimeout) {
		return fmt.Errorf("wait for %s: %w", g.request, cause)
	}
	for _, r := range g.replicas {
		status, _, _ := r.observe()
		if status.State == port.ReplicaReady {
			continue
		}
		why, hint := status.Cause, "does the service listen on the port in PORT, and does its readiness path return 200?"
		if wrong := r.wrongPort(); wrong != nil {
			why, hint = wrong.Error()+formatTail(r.log.tail()), wrong.Hint()
		} else if why == "" {
			var responds bool
			why, responds = r.describeReadiness()
			why = "running, but " + why + formatTail(r.log.tail())
			if responds {
				hint = r.readyPath + " must return 200 once the replica can handle requests"
			}
			hint = cmp.Or(readOnlyHint(r.log.tail()), hint)
		}
		return r.failure("start %s: %d of %d replicas ready after %s; %s: %s",
			g.request, count, len(g.replicas), g.readyTimeout(), status.Name, why).Hint("%s", hint)
	}
	return cause
}

// stop stops every replica and waits until all have exited.
func (g *group) stop() {
	for _, r := range g.replicas {
		r.requestStop()
	}
	for _, r := range g.replicas {
		<-r.done
	}
	g.model.close()
}

// setDraining marks the group as draining.
func (g *group) setDraining() {
	g.mu.Lock()
	g.draining = true
	g.mu.Unlock()
}

// observe adds the replicas and notes of the group to o.
func (g *group) observe(o *port.Observation) {
	g.mu.Lock()
	out := g.draining
	g.mu.Unlock()
	for _, note := range g.notes {
		o.Notes = appendNote(o.Notes, note)
	}
	use := g.model.use()
	for _, r := range g.replicas {
		status, _, notes := r.observe()
		if out && status.State == port.ReplicaReady {
			status.State = port.ReplicaDraining
		}
		status.ModelOpened = use
		o.Replicas = append(o.Replicas, status)
		for _, note := range notes {
			o.Notes = appendNote(o.Notes, note)
		}
	}
}

// appendNote adds a note unless it is present: replicas have the same notes.
func appendNote(notes []string, note string) []string {
	for _, n := range notes {
		if n == note {
			return notes
		}
	}
	return append(notes, note)
}

// healthy reports whether no replica has failed since the group was started.
func (g *group) healthy() bool {
	for _, r := range g.replicas {
		if _, failures, _ := r.observe(); failures > 0 {
			return false
		}
	}
	return true
}
