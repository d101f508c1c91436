// Package webhook tells a machine of the user's choice about events, with a
// signature by which it knows who speaks.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// The headers of a delivery.
const (
	SignatureHeader = "Slipway-Signature" // t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">
	DeliveryHeader  = "Slipway-Delivery"  // the message's ID, the same for every attempt
)

// Config of a Notifier. Secret may be empty: then deliveries are not signed.
type Config struct {
	URL       string
	Secret    string
	Timeout   time.Duration     // default 10 s
	Transport http.RoundTripper // default http.DefaultTransport's settings
	Now       func() time.Time
}

// Notifier fulfils port.Notifier. Safe for concurrent use.
type Notifier struct {
	c      Config
	host   string
	client *http.Client
}

var _ port.Notifier = (*Notifier)(nil)

// New checks the address. Its errors, too, keep the address secret.
func New(c Config) (*Notifier, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fault.New(fault.Invalid, "the address of a webhook is no URL").Hint("https://host/path; is the variable that holds it set?")
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Transport == nil {
		c.Transport = http.DefaultTransport
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Notifier{c: c, host: u.Host, client: &http.Client{Transport: c.Transport, Timeout: c.Timeout, CheckRedirect: stay}}, nil
}

// Name is "webhook" and the host.
func (n *Notifier) Name() string { return "webhook " + n.host }

// Notify posts the message's JSON once.
func (n *Notifier) Notify(ctx context.Context, m port.Message) error {
	body, err := content(m)
	if err != nil {
		return fault.New(fault.Invalid, "notify %s", n.Name()).Because(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.c.URL, bytes.NewReader(body))
	if err != nil {
		return fault.New(fault.Invalid, "notify %s: its address", n.Name())
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "slipway")
	req.Header.Set(DeliveryHeader, printable(m.ID))
	if n.c.Secret != "" {
		req.Header.Set(SignatureHeader, Sign(n.c.Secret, n.c.Now(), body))
	}
	resp, err := n.client.Do(req)
	if err != nil {
		return n.unreached(ctx, err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	return n.judge(resp.StatusCode)
}

// Sign is the signature header of a body: receivers compute it again, and refuse
// what is too old.
func Sign(secret string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

func content(m port.Message) ([]byte, error) {
	if len(m.JSON) == 0 {
		return json.Marshal(map[string]string{"id": m.ID, "title": m.Title, "text": m.Text})
	}
	if !json.Valid(m.JSON) {
		return nil, errors.New("the event is no JSON")
	}
	return m.JSON, nil
}

// printable keeps what a header may hold.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '_'
		}
		return r
	}, s)
}

func (n *Notifier) unreached(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("notify %s: %w", n.Name(), context.Cause(ctx))
	}
	var asked *url.Error
	if !errors.As(err, &asked) {
		return fault.New(fault.Unavailable, "notify %s", n.Name())
	}
	if asked.Timeout() {
		return fault.New(fault.Unavailable, "notify %s: no answer within %s", n.Name(), n.c.Timeout)
	}
	return fault.New(fault.Unavailable, "notify %s", n.Name()).Because(asked.Err) // without the address
}

// judge tells an answer that may be better the next time from one that will not.
func (n *Notifier) judge(status int) error {
	switch {
	case status >= 200 && status < 300:
		return nil
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fault.New(fault.Denied, "notify %s: it answered %d", n.Name(), status).Hint("is the secret the one that it knows?")
	case status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= 500:
		return fault.New(fault.Unavailable, "notify %s: it answered %d", n.Name(), status)
	case status >= 300 && status < 400:
		return fault.New(fault.Invalid, "notify %s: it answered %d", n.Name(), status).Hint("use the address that it redirects to: events are not sent on to others")
	}
	return fault.New(fault.Invalid, "notify %s: it answered %d", n.Name(), status).Hint("is the address right?")
}
