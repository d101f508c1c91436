package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/supervisor"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Target implements port.Target, port.TrafficReporter and port.LogReader. It has
// no state of its own: any number of processes may use the same folder
// concurrently.
type Target struct {
	cfg     Config
	proxies []netip.Prefix // that report who their clients are
}

var _ port.Locator = (*Target)(nil)

// For returns the target with the trusted proxies of a location.
func (t *Target) For(l delivery.Location) (port.Target, error) {
	of := *t
	var err error
	of.proxies, err = proxiesOf(l)
	return &of, err
}

// New returns the target without starting or writing anything.
func New(cfg Config) *Target {
	cfg.Dir = absolutePath(cfg.Dir)
	if cfg.Executable == "" {
		cfg.Executable = "/proc/self/exe"
	}
	if len(cfg.SuperviseArgs) == 0 {
		cfg.SuperviseArgs = []string{SuperviseCommand}
	}
	if cfg.LookupEnv == nil {
		cfg.LookupEnv = os.LookupEnv
	}
	if len(cfg.InitArgs) == 0 {
		cfg.InitArgs = []string{InitCommand}
	}
	return &Target{cfg: cfg}
}

// errUnavailable means that no supervisor responded, or that it was shutting
// down. The call can be repeated.
var errUnavailable = errors.New("the supervisor is not responding")

// errUnknownCall means that the supervisor is of an earlier version.
var errUnknownCall = errors.New("the supervisor does not know this call")

// send makes one call to a running supervisor.
func (t *Target) send(ctx context.Context, path string, body, value any, say func(string)) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://supervisor"+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return supervisor.Dial(ctx, t.cfg.Dir) },
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if errors.Is(err, os.ErrPermission) {
		return fault.New(fault.Denied, "connect to the supervisor in %s", t.cfg.Dir).
			Hint("it was started by another user: run this command as that user, or use another state folder ($SLIPWAY_HOME)").Cause(err)
	}
	if err != nil {
		if ctx.Err() != nil {
			return callEnded(ctx, path)
		}
		return fmt.Errorf("%w: %w", errUnavailable, err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		if err := t.readMessages(resp.Body, value, say); err == nil || ctx.Err() == nil {
			return err
		}
		return callEnded(ctx, path)
	case http.StatusServiceUnavailable:
		return fmt.Errorf("%w: it is shutting down", errUnavailable)
	}
	err = fault.New(fault.Internal, "call %s of the supervisor: status %d", path, resp.StatusCode)
	if resp.StatusCode == http.StatusNotFound {
		err = fmt.Errorf("%w: %w", errUnknownCall, err)
	}
	return err
}

// callEnded is the error of a call whose context has ended.
func callEnded(ctx context.Context, path string) error {
	return fmt.Errorf("call %s of the supervisor: %w", path, context.Cause(ctx))
}

// readMessages reads the messages of a response.
func (t *Target) readMessages(answer io.Reader, value any, say func(string)) error {
	lines := json.NewDecoder(answer)
	for {
		var message supervisor.Message
		err := lines.Decode(&message)
		switch {
		case err != nil:
			return fmt.Errorf("%w: the connection was closed: %w", errUnavailable, err)
		case message.Error != nil:
			return message.Error.Err()
		case message.Value != nil:
			return json.Unmarshal(message.Value, value)
		}
		say(message.Progress)
	}
}

func (t *Target) hello(ctx context.Context) (h supervisor.HelloResponse, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 5*time.Second, fmt.Errorf("%w within 5 s", errUnavailable))
	defer cancel()
	err = t.send(ctx, supervisor.CallHello, struct{}{}, &h, func(string) {})
	return h, err
}

func (t *Target) logPath() string { return filepath.Join(t.cfg.Dir, supervisorLog) }

// openLog opens the supervisor's log and rotates a long one.
func (t *Target) openLog() (*os.File, error) {
	if i, err := os.Stat(t.logPath()); err == nil && i.Size() > maxSupervisorLog {
		_ = os.Rename(t.logPath(), t.logPath()+".1") // on failure it grows
	}
	f, err := os.OpenFile(t.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrPermission) {
		return nil, fault.New(fault.Denied, "use the local target in %s", t.cfg.Dir).
			Hint("the folder is owned by another user: run as that user, or use another state folder ($SLIPWAY_HOME)").Cause(err)
	}
	if err != nil {
		return nil, fmt.Errorf("open the supervisor log: %w", err)
	}
	return f, nil
}

// absolutePath returns the path in a form that is valid in other processes.
func absolutePath(dir string) string {
	if full, err := filepath.Abs(dir); err == nil {
		return full
	}
	return strings.TrimSuffix(dir, "/")
}

func (t *Target) hasWork() (bool, error) {
	state, err := supervisor.ReadState(t.cfg.Dir)
	for _, e := range state.Environments {
		if e.ShouldRun() {
			return true, err
		}
	}
	return false, err
}

func orDiscard(say func(string)) func(string) {
	if say == nil {
		return func(string) {}
	}
	return say
}

func (t *Target) savedState(service string, env delivery.Environment) (supervisor.EnvironmentState, error) {
	if err := supervisor.ValidateNames(service, env); err != nil {
		return supervisor.EnvironmentState{}, err
	}
	state, err := supervisor.ReadState(t.cfg.Dir)
	return state.Environments[supervisor.EnvironmentKey(service, env)], err
}

func releaseRequest(o port.DeployRequest) supervisor.ReleaseRequest {
	return supervisor.ReleaseRequest{Service: o.Service, Environment: o.Environment, Release: o.ID, Port: o.Port, ReadyTimeout: o.ReadyTimeout}
}

func environmentRequest(service string, env delivery.Environment) supervisor.ReleaseRequest {
	return supervisor.ReleaseRequest{Service: service, Environment: env}
}
