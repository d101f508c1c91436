// Package shoutrrr implements port.Notifier for chats and mail with the Shoutrrr
// library. An address such as "slack://token@channel" is a secret.
package shoutrrr

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"

	"github.com/nicholas-fedor/shoutrrr"
	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/redact"
)

// Notifier sends to one address.
type Notifier struct {
	name     string
	sender   *router.ServiceRouter
	redactor *redact.Redactor // of every part of the address
}

var _ port.Notifier = (*Notifier)(nil)

// New validates the address.
func New(address string) (*Notifier, error) {
	scheme, _, _ := strings.Cut(address, ":")
	n := &Notifier{name: "chat " + schemeName(scheme) + " " + fingerprint(address), redactor: redact.New(redact.URLParts(address)...)}
	sender, err := shoutrrr.NewSender(log.New(io.Discard, "", 0), address)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the chat address is not supported by Shoutrrr").Cause(n.redactor.Error(err)).
			Hint("check the environment variable in notify.chat; its value must look like slack://token@channel")
	}
	n.sender = sender
	return n, nil
}

// Name returns the service and a fingerprint of the address.
func (n *Notifier) Name() string { return n.name }

// Notify sends title and text once. The library cannot be interrupted: Notify
// returns when ctx ends, but the message may still arrive.
func (n *Notifier) Notify(ctx context.Context, m port.Message) error {
	sent := make(chan error, 1)
	go func() { sent <- errors.Join(n.sender.Send(plain(m.Text), &types.Params{"title": plain(m.Title)})...) }()
	select {
	case <-ctx.Done():
		return fmt.Errorf("send to %s: %w", n.name, context.Cause(ctx))
	case err := <-sent:
		if err != nil {
			return fault.New(fault.Unavailable, "send to %s", n.name).Cause(n.redactor.Error(err))
		}
		return nil
	}
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
