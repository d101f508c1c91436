package shoutrrr

import (
	"time"

	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
)

// Section is an entry of notify in slipway.yaml.
type Section struct {
	Chat extension.Secret `yaml:"chat" json:"chat" jsonschema_description:"Shoutrrr URL of a chat or mail service, as ${NAME}."`
}

// Extension describes the notifier to the catalog.
func Extension() extension.Notifier {
	return extension.Notifier{
		Kind: "chat", Example: "chat: ${CHAT_URL}",
		Section: extension.SectionOf(func(s *Section, c extension.Checker) { c.CheckSecret("chat", s.Chat) }),
		New: func(section any, lookupEnv func(string) (string, bool), _ func() time.Time) (port.Notifier, error) {
			s, _ := section.(*Section)
			address, err := s.Chat.Resolve(lookupEnv)
			if err != nil {
				return nil, err
			}
			return New(address)
		},
	}
}
