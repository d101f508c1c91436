// Package shoutrrr implements port.Notifier for chats and mail with the Shoutrrr
// library. An address such as "slack://token@channel" is a secret.
package shoutrrr

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log"
	"net/url"
	"sort"
	"strings"

	"github.com/nicholas-fedor/shoutrrr"
	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Notifier sends to one address.
type Notifier struct {
	name    string
	sender  *router.ServiceRouter
	secrets []string // longest first
}

var _ port.Notifier = (*Notifier)(nil)

// New validates the address.
func New(address string) (*Notifier, error) {
	scheme, _, _ := strings.Cut(address, ":")
	c := &Notifier{name: "chat " + schemeName(scheme) + " " + fingerprint(address), secrets: parts(address)}
	sender, err := shoutrrr.NewSender(log.New(io.Discard, "", 0), address)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the chat address is not supported by Shoutrrr").Cause(c.scrub(err)).
			Hint("check the environment variable in notify.chat; its value must look like slack://token@channel")
	}
	c.sender = sender
	return c, nil
}

// Name returns the service and a fingerprint of the address.
func (c *Notifier) Name() string { return c.name }

// Notify sends title and text once. The library cannot be interrupted: Notify
// returns when ctx ends, but the message may still arrive.
func (c *Notifier) Notify(ctx context.Context, m port.Message) error {
	sent := make(chan error, 1)
	go func() { sent <- errors.Join(c.sender.Send(m.Text, &types.Params{"title": m.Title})...) }()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case err := <-sent:
		if err != nil {
			return fault.New(fault.Unavailable, "send to %s", c.name).Cause(c.scrub(err))
		}
		return nil
	}
}

// scrub takes every part of the address out of an error's text.
func (c *Notifier) scrub(err error) error {
	text := err.Error()
	for _, s := range c.secrets {
		text = strings.ReplaceAll(text, s, "***")
	}
	return errors.New(text)
}

// parts are the pieces of an address that may be secret, longest first.
func parts(address string) []string {
	_, rest, _ := strings.Cut(address, "://")
	pieces := append(strings.FieldsFunc(rest, func(r rune) bool { return strings.ContainsRune(":/@?&=#", r) }), address, rest)
	var out []string
	for _, p := range pieces {
		if len(p) < 4 {
			continue
		}
		out = append(out, p)
		if plain, err := url.QueryUnescape(p); err == nil && plain != p {
			out = append(out, plain)
		}
	}
	sort.Slice(out, func(i, j int) bool { return len(out[i]) > len(out[j]) })
	return out
}

// schemeName returns "?" for what cannot be a scheme: a mistyped address must not
// appear in the name.
func schemeName(scheme string) string {
	if len(scheme) > 20 || strings.ContainsFunc(scheme, func(r rune) bool { return (r < 'a' || r > 'z') && r != '+' }) {
		return "?"
	}
	return scheme
}

func fingerprint(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:4])
}
