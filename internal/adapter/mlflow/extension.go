package mlflow

import (
	"net/url"
	"strings"

	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/loopback"
	"github.com/slipway-cd/slipway/internal/port"
)

// Section is model.registry.mlflow in slipway.yaml.
type Section struct {
	URL        extension.Secret `yaml:"url" json:"url" jsonschema:"required" jsonschema_description:"URL of the MLflow server, https or on this machine, or ${NAME}."`
	Token      extension.Secret `yaml:"token" json:"token,omitempty" jsonschema_description:"Bearer token, as ${NAME}."`
	Username   extension.Secret `yaml:"username" json:"username,omitempty" jsonschema_description:"User, as ${NAME}; with password, instead of token."`
	Password   extension.Secret `yaml:"password" json:"password,omitempty" jsonschema_description:"Password, as ${NAME}."`
	Experiment string           `yaml:"experiment" json:"experiment,omitempty" jsonschema_description:"Experiment in which every version gets a run with its metrics. Default slipway."`
}

// Extension describes the registry to the catalog.
func Extension() extension.ModelRegistry {
	section := extension.SectionOf(check)
	section.Patterns = map[string]string{"url": `^(\$\{[A-Za-z_][A-Za-z0-9_]*\}|https?://[^@?]+)$`}
	return extension.ModelRegistry{
		Kind: "mlflow", Description: "An MLflow server.", Example: "mlflow: {url: https://mlflow.example.com, token: ${MLFLOW_TOKEN}}", Section: section,
		Address: func(section any) extension.Secret {
			s, _ := section.(*Section)
			return s.URL
		},
		New: func(h extension.Host, section any) (port.ModelRegistry, error) {
			s, ok := section.(*Section)
			if !ok {
				return nil, fault.New(fault.Internal, "the settings of the MLflow registry are a %T", section)
			}
			return New(Config{Settings: func() (Settings, error) { return s.resolve(h.LookupEnv) }, Clock: h.Clock}), nil
		},
	}
}

func check(s *Section, c extension.Checker) {
	c.CheckSecret("token", s.Token)
	c.CheckSecret("username", s.Username)
	c.CheckSecret("password", s.Password)
	switch {
	case s.Token.IsSet() && (s.Username.IsSet() || s.Password.IsSet()):
		c.Fail("token", "remove one of them", "set either token, or username and password")
	case s.Username.IsSet() != s.Password.IsSet():
		c.Fail("", "", "username and password need each other")
	}
	if strings.Contains(string(s.URL), "${") {
		c.CheckSecret("url", s.URL)
		return
	}
	if _, err := parseURL(string(s.URL)); err != nil {
		c.Fail("url", fault.HintOf(err), "%v", err)
	}
}

// parseURL accepts the address of a server to which credentials can be sent without being
// read on the way. Its errors never repeat the address, which may hold a password.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSuffix(text, "/"))
	const example = "such as https://mlflow.example.com"
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, fault.New(fault.Invalid, "not an http(s) URL").Hint(example)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fault.New(fault.Invalid, "the URL contains more than a host and a path").
			Hint("give credentials as token, or username and password, each as ${NAME}")
	case u.Scheme == "http" && !loopback.IsHost(u.Hostname()):
		return nil, fault.New(fault.Invalid, "http would send credentials and decisions without encryption").
			Hint("use https; http is for a server on this machine only")
	}
	return u, nil
}

// resolve takes the values from the environment, when the server is first used.
func (s *Section) resolve(lookupEnv func(string) (string, bool)) (Settings, error) {
	address, err := s.URL.Resolve(lookupEnv)
	if err != nil {
		return Settings{}, err
	}
	out := Settings{Experiment: s.Experiment}
	if out.URL, err = parseURL(address); err != nil {
		return Settings{}, fault.New(fault.Invalid, "model.registry.mlflow.url").Cause(err).Hint("%s", fault.HintOf(err))
	}
	for _, v := range []struct {
		from extension.Secret
		to   *string
	}{{s.Token, &out.Token}, {s.Username, &out.Username}, {s.Password, &out.Password}} {
		if *v.to, err = v.from.Resolve(lookupEnv); err != nil {
			return Settings{}, err
		}
	}
	return out, nil
}
