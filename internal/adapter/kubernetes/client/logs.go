package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/slipway-cd/slipway/internal/textline"
)

// Limits of what is read of a log.
const (
	maxLogLine      = 16 << 10
	maxLog          = 1 << 20
	maxErrorMessage = 4 << 10
)

// Log names the log of a container.
type Log struct {
	Namespace, Pod, Container string
	Previous                  bool // of the container's instance before this one
}

// LogTail returns the last lines of a container, oldest first. Of an instance that the
// kubelet has removed meanwhile, as it does with those of a crash loop, it returns those
// of the other one; none if both are gone.
func (c *Client) LogTail(ctx context.Context, l Log, lines int) ([]string, error) {
	other := l
	other.Previous = !l.Previous
	out, err := c.readLog(ctx, l, lines)
	for _, next := range []Log{other, l} { // the first may be another instance by now
		if err != nil || !isRemoved(out) {
			return out, err
		}
		if again, err := c.readLog(ctx, next, lines); err == nil {
			out = again // the other one may never have been
		} else if ctx.Err() != nil {
			return nil, err
		}
	}
	if isRemoved(out) {
		return nil, nil
	}
	return out, err
}

// isRemoved reports whether the lines are the kubelet's word that there is no log: it
// says so in a response without an error. Source: GetContainerLogs in
// k8s.io/kubernetes/pkg/kubelet/kuberuntime.
func isRemoved(lines []string) bool {
	return len(lines) == 1 && strings.HasPrefix(lines[0], "unable to retrieve container logs for ")
}

func (c *Client) readLog(ctx context.Context, l Log, lines int) ([]string, error) {
	query := url.Values{"container": {l.Container}, "tailLines": {strconv.Itoa(lines)}, "limitBytes": {strconv.Itoa(maxLog)}}
	if l.Previous {
		query.Set("previous", "true")
	}
	body, err := c.getRaw(ctx, fmt.Sprintf("/api/v1/namespaces/%s/pods/%s/log", l.Namespace, l.Pod), query)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var out []string
	scanner := bufio.NewScanner(io.LimitReader(body, maxLog))
	scanner.Buffer(nil, maxLogLine)
	for scanner.Scan() {
		out = append(out, scanner.Text())
	}
	if err := scanner.Err(); err != nil {
		return out, fmt.Errorf("read the log of %s: %w", l.Pod, err)
	}
	return out, nil
}

// getRaw requests what is not an object.
func (c *Client) getRaw(ctx context.Context, path string, query url.Values) (io.ReadCloser, error) {
	client, err := rest.HTTPClientFor(c.config)
	if err != nil {
		return nil, invalidConfig(c.config, err)
	}
	base, _, err := rest.DefaultServerUrlFor(c.config)
	if err != nil {
		return nil, invalidConfig(c.config, err)
	}
	address := base.JoinPath(path)
	address.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("request %s: %w", path, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, Explain("request "+path, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	message, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorMessage))
	resp.Body.Close()
	return nil, Explain("request "+path, responseError(resp.Status, message))
}

// responseError is what a server responded that has refused: a Status of the API, or
// else text.
func responseError(status string, body []byte) error {
	var s metav1.Status
	if err := json.Unmarshal(body, &s); err == nil && s.Kind == "Status" {
		return &apierrors.StatusError{ErrStatus: s}
	}
	return fmt.Errorf("%s: %s", status, textline.Printable(string(body), 0))
}
