package shoutrrr

import (
	"regexp"
	"strings"

	"github.com/slipway-cd/slipway/internal/termtext"
)

var (
	// call is a word by which chats notify everybody.
	call = regexp.MustCompile(`(?i)@(everyone|here|channel|all|room)\b`)
	// markup begins what Slack takes for a mention or a link with another text.
	markup = regexp.MustCompile(`(?i)<([!@#]|https?:|mailto:|tel:|/)`)
)

// plain returns a text in which a chat finds no mention and no link that shows another
// text than its address. Messages hold what tests print and people call their branches,
// and they come from an account that readers trust. A space keeps them readable.
func plain(text string) string {
	text = call.ReplaceAllString(termtext.String(text), "@ $1")
	text = markup.ReplaceAllString(text, "< $1")
	return strings.ReplaceAll(text, "](", "] (")
}
