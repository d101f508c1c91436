//go:build linux

package supervisor

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/textline"
)

// How long a replica that is not ready may take to respond once more, and how much of
// its response is shown.
const (
	describeTimeout = time.Second
	maxShownBody    = 200
)

// describeReadiness describes what the replica responds instead of being ready, if it
// responds.
func (r *replica) describeReadiness() (text string, responds bool) {
	e := r.currentEndpoint()
	if e == nil {
		return fmt.Sprintf("%s does not return 200", r.readyPath), false
	}
	ctx, cancel := context.WithTimeout(context.Background(), describeTimeout)
	defer cancel()
	return e.describe(ctx)
}

func (e endpoint) describe(ctx context.Context) (text string, responds bool) {
	silent := fmt.Sprintf("nothing responds to %s on port %d, which is its PORT", e.readyPath, e.port)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url(e.port), nil)
	if err != nil {
		return silent, false
	}
	resp, err := e.client(e.port).Do(req)
	if err != nil {
		return silent, false
	}
	defer resp.Body.Close()
	text = fmt.Sprintf("%s on port %d returned %d", e.readyPath, e.port, resp.StatusCode)
	if body, _ := io.ReadAll(io.LimitReader(resp.Body, maxShownBody)); len(body) > 0 { // what could be read
		text += ": " + textline.Printable(strings.ToValidUTF8(string(body), ""), maxShownBody)
	}
	return text, true
}
