package webhook

import (
	"net/url"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
)

// Section is an entry of notify in slipway.yaml.
type Section struct {
	Webhook extension.Secret `yaml:"webhook" json:"webhook" jsonschema_description:"URL that receives a POST request with JSON."`
	Secret  extension.Secret `yaml:"secret" json:"secret,omitempty" jsonschema_description:"Key that signs the request, as ${NAME}."`
}

// Extension describes the notifier to the catalog.
func Extension() extension.Notifier {
	section := extension.SectionOf(check)
	section.Patterns = map[string]string{"webhook": `^(\$\{[A-Za-z_][A-Za-z0-9_]*\}|https?://[^@?]+)$`}
	return extension.Notifier{
		Kind: "webhook", Example: "webhook: ${HOOK_URL}", Section: section,
		New: func(section any, lookupEnv func(string) (string, bool), clock func() time.Time) (port.Notifier, error) {
			s, _ := section.(*Section)
			address, err := s.Webhook.Resolve(lookupEnv)
			if err != nil {
				return nil, err
			}
			secret, err := s.Secret.Resolve(lookupEnv)
			if err != nil {
				return nil, err
			}
			return New(address, secret, clock)
		},
	}
}

func check(s *Section, c extension.Checker) {
	c.CheckSecret("secret", s.Secret)
	if strings.Contains(string(s.Webhook), "${") {
		c.CheckSecret("webhook", s.Webhook)
		return
	}
	u, err := url.Parse(string(s.Webhook))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		c.Fail("webhook", "such as https://hooks.example.com/slipway or ${HOOK_URL}", "not an http(s) URL")
	} else if u.User != nil || u.RawQuery != "" {
		c.Fail("webhook", "store the URL in an environment variable and reference it as ${NAME}", "the URL contains credentials")
	}
}
