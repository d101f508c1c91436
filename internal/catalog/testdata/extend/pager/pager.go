// Package pager is a notifier that a test adds.
package pager

import (
	"context"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
)

// Section is an entry of notify.
type Section struct {
	Pager   string           `yaml:"pager" json:"pager" jsonschema_description:"Number to page."`
	Token   extension.Secret `yaml:"token" json:"token" jsonschema:"required" jsonschema_description:"Token of the service, as ${NAME}."`
	Urgency string           `yaml:"urgency" json:"urgency,omitempty" jsonschema:"enum=low,enum=high" jsonschema_description:"How urgent it is."`
}

// Extension describes the notifier to the catalog.
func Extension() extension.Notifier {
	return extension.Notifier{
		Kind: "pager", Example: "pager: +1-555-0100",
		Section: extension.SectionOf(func(s *Section, c extension.Checker) {
			c.CheckSecret("token", s.Token)
			if !strings.HasPrefix(s.Pager, "+") {
				c.Fail("pager", "such as +1-555-0100", "invalid number %q", s.Pager)
			}
		}),
		New: func(section any, lookupEnv func(string) (string, bool), _ func() time.Time) (port.Notifier, error) {
			s, _ := section.(*Section)
			_, err := s.Token.Resolve(lookupEnv)
			return pager(s.Pager), err
		},
	}
}

type pager string

func (p pager) Notify(context.Context, port.Message) error { return nil }
func (p pager) Name() string                               { return "pager " + string(p) }
