// Package webhook implements port.Notifier with signed HTTP POST requests.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/redact"
)

// Headers of a request. A receiver computes HMAC-SHA256 with the shared secret
// over "<t>.<body>", compares it with v1, and ignores a delivery ID that it has
// processed.
const (
	SignatureHeader = "Slipway-Signature" // t=<unix seconds>,v1=<hexadecimal>
	DeliveryHeader  = "Slipway-Delivery"  // the message's ID
)

const timeout = 10 * time.Second

// maxDiscard is how many bytes of a response are read, for the connection's sake.
const maxDiscard = 64 << 10

// Notifier posts to one address.
type Notifier struct {
	address *url.URL
	secret  []byte
	client  *http.Client
	now     func() time.Time
}

var _ port.Notifier = (*Notifier)(nil)

// New validates the address (http or https). Without a secret requests are not
// signed.
func New(address, secret string, now func() time.Time) (*Notifier, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		// The address may contain a secret and is not repeated.
		return nil, fault.New(fault.Invalid, "the webhook address is not an http(s) URL").Hint("check the environment variable in notify.webhook")
	}
	client := &http.Client{Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &Notifier{address: u, secret: []byte(secret), client: client, now: now}, nil
}

// Name returns the receiver's host and a fingerprint of the address, which
// distinguishes several addresses of one host.
func (w *Notifier) Name() string {
	sum := sha256.Sum256([]byte(w.address.String()))
	return "webhook " + w.address.Host + " " + hex.EncodeToString(sum[:4])
}

// Notify posts the event's JSON once.
func (w *Notifier) Notify(ctx context.Context, m port.Message) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.address.String(), bytes.NewReader(m.JSON))
	if err != nil {
		return fault.New(fault.Invalid, "post to %s", w.Name())
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(DeliveryHeader, m.ID)
	if len(w.secret) > 0 {
		req.Header.Set(SignatureHeader, w.sign(m.JSON))
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return fault.New(fault.Unavailable, "post to %s", w.Name()).Cause(redact.WithoutURL(err))
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxDiscard)) // allows the connection to be reused
	return w.checkStatus(resp.StatusCode)
}

func (w *Notifier) sign(body []byte) string {
	t := w.now().Unix()
	mac := hmac.New(sha256.New, w.secret)
	fmt.Fprintf(mac, "%d.", t)
	mac.Write(body)
	return fmt.Sprintf("t=%d,v1=%s", t, hex.EncodeToString(mac.Sum(nil)))
}

func (w *Notifier) checkStatus(status int) error {
	kind := fault.Unavailable
	switch {
	case status >= 200 && status < 300:
		return nil
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		kind = fault.Denied
	case status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= 500:
	default:
		kind = fault.Invalid
	}
	return fault.New(kind, "post to %s: status %d", w.Name(), status)
}
