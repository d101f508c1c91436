package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/slipway-cd/slipway/internal/textline"
)

// Exec is a command in a container. Stdin and Stdout may be nil.
type Exec struct {
	Pod, Container string
	Command        []string
	Stdin          io.Reader
	Stdout         io.Writer
}

// ExitError is that a command ended with another code than 0.
type ExitError struct {
	Code   int
	Stderr string // its end, on one line
}

// Error implements error.
func (e *ExitError) Error() string {
	if e.Stderr == "" {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return fmt.Sprintf("exit code %d: %s", e.Code, e.Stderr)
}

// Run runs a command in a container of the client's namespace, and waits for its end. It
// is sent once.
func (c *Client) Run(ctx context.Context, e Exec) error {
	config := c.UpgradeConfig()
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return invalidConfig(config, err)
	}
	address := base.JoinPath(fmt.Sprintf("/api/v1/namespaces/%s/pods/%s/exec", c.namespace, e.Pod))
	query := url.Values{"container": {e.Container}, "command": e.Command, "stderr": {"true"}}
	if e.Stdin != nil {
		query.Set("stdin", "true")
	}
	if e.Stdout != nil {
		query.Set("stdout", "true")
	}
	address.RawQuery = query.Encode()
	webSocket, err := remotecommand.NewWebSocketExecutor(config, http.MethodGet, address.String())
	if err != nil {
		return invalidConfig(config, err)
	}
	upgrade, err := remotecommand.NewSPDYExecutor(config, http.MethodPost, address)
	if err != nil {
		return invalidConfig(config, err)
	}
	executor, err := remotecommand.NewFallbackExecutor(webSocket, upgrade, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
	if err != nil {
		return invalidConfig(config, err)
	}
	stderr := &tail{}
	// The libraries look at the context between requests only: a server that accepts and
	// is silent would hold the caller. What is left behind ends with the connection.
	ended := make(chan error, 1)
	go func() {
		ended <- executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: e.Stdin, Stdout: e.Stdout, Stderr: stderr})
	}()
	select {
	case err = <-ended:
	case <-ctx.Done():
		return fmt.Errorf("run a command in pod %s: %w", e.Pod, context.Cause(ctx))
	}
	var exit exec.CodeExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("run a command in pod %s: %w", e.Pod, context.Cause(ctx))
	case errors.As(err, &exit):
		return &ExitError{exit.Code, textline.Printable(string(stderr.end), maxLogLine)}
	}
	c.ObserveError(err)
	return Explain("run a command in pod "+e.Pod, err)
}

// tail keeps the end of what is written.
type tail struct{ end []byte }

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.end = append(t.end, p...)
	t.end = t.end[max(0, len(t.end)-maxErrorMessage):]
	return len(p), nil
}

// FollowLog returns what a container prints, from its first byte until it ends or ctx
// does.
func (c *Client) FollowLog(ctx context.Context, l Log) (io.ReadCloser, error) {
	return c.getRaw(ctx, fmt.Sprintf("/api/v1/namespaces/%s/pods/%s/log", l.Namespace, l.Pod), url.Values{"container": {l.Container}, "follow": {"true"}})
}
