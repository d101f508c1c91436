package extension

import (
	"time"

	"github.com/slipway-cd/slipway/internal/port"
)

// Notifier is a kind of receiver of messages: notify: [{KIND: ..., more keys of
// the section}].
type Notifier struct {
	Kind    Kind
	Example string // for hints: "chat: ${CHAT_URL}"
	Section Section
	// New takes the secrets that the section names from the environment.
	New func(section any, lookupEnv func(string) (string, bool), clock func() time.Time) (port.Notifier, error)
}
