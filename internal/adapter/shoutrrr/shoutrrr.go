// Package shoutrrr tells people about events in chats and by mail: Slack, Teams,
// Discord, ntfy, SMTP and whatever else the library of that name speaks.
package shoutrrr

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Config of a Notifier.
type Config struct {
	URL     string        // the library's form: slack://hook:...@webhook, smtp://user:password@host/?to=...
	Timeout time.Duration // default 10 s
}

// Notifier fulfils port.Notifier. Safe for concurrent use. In these addresses
// every part may be secret, the host included: of them only the scheme is said.
type Notifier struct {
	c      Config
	scheme string
}

var _ port.Notifier = (*Notifier)(nil)

// New checks the address. Its errors, too, keep the address secret.
func New(c Config) (*Notifier, error) {
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	n := &Notifier{c: c}
	u, err := url.Parse(c.URL)
	known := (&router.ServiceRouter{}).ListServices()
	if err == nil {
		n.scheme, _, _ = strings.Cut(strings.ToLower(u.Scheme), "+")
	}
	if !slices.Contains(known, n.scheme) {
		return nil, fault.New(fault.Invalid, "the address of a notification begins with no service that is known").
			Hint("%s; is the variable that holds it set?", fault.Enumerate(known))
	}
	if _, err := router.New(nil, c.URL); err != nil {
		return nil, fault.New(fault.Invalid, "the address of the %s notification is not complete", n.scheme).
			Hint("its form: https://shoutrrr.nickfedor.com/services/%s", n.scheme)
	}
	return n, nil
}

// Name is the service's.
func (n *Notifier) Name() string { return n.scheme }

// Notify sends the message once.
func (n *Notifier) Notify(ctx context.Context, m port.Message) error {
	if ctx.Err() != nil {
		return fmt.Errorf("notify %s: %w", n.scheme, context.Cause(ctx))
	}
	// A sender of its own: the library's is not safe for concurrent use.
	sender, err := router.New(nil, n.c.URL)
	if err != nil {
		return fault.New(fault.Invalid, "notify %s: its address", n.scheme)
	}
	sender.Timeout = n.c.Timeout
	text, params := m.Title+"\n"+m.Text, types.Params{}
	if n.scheme == "smtp" {
		text = m.Text
		params.SetTitle(m.Title)
	}
	sent := make(chan error, 1)
	go func() {
		for _, err := range sender.Send(text, &params) {
			if err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	select {
	case err := <-sent:
		return n.judge(err)
	case <-ctx.Done(): // the library knows no context; the attempt ends by its timeout
		return fmt.Errorf("notify %s: %w", n.scheme, context.Cause(ctx))
	}
}

var statusForm = regexp.MustCompile(`(?i)(?:status|code|response)[^0-9]{0,20}\b([1-5][0-9]{2})\b`)

// judge makes an error without the library's words, which repeat addresses.
func (n *Notifier) judge(err error) error {
	if err == nil {
		return nil
	}
	status := 0
	if found := statusForm.FindStringSubmatch(err.Error()); found != nil {
		status, _ = strconv.Atoi(found[1])
	}
	switch {
	case status == 401 || status == 403:
		return fault.New(fault.Denied, "notify %s: it answered %d", n.scheme, status).Hint("is the token still valid?")
	case status >= 400 && status < 500 && status != 408 && status != 429:
		return fault.New(fault.Invalid, "notify %s: it answered %d", n.scheme, status).Hint("is the address right?")
	case status >= 300:
		return fault.New(fault.Unavailable, "notify %s: it answered %d", n.scheme, status)
	}
	return fault.New(fault.Unavailable, "notify %s: it was not reached", n.scheme).Hint("details are left out, because they hold the address")
}
