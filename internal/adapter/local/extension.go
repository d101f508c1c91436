package local

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
)

// Section is target.local in slipway.yaml.
type Section struct {
	Port int `yaml:"port" json:"-" jsonschema:"minimum=0,maximum=65535" jsonschema_description:"Port of the service, the same for every release. Default: a free port is chosen and kept, unless another process has it."`

	TrustedProxies []string `yaml:"trusted_proxies" json:"trusted_proxies,omitempty" jsonschema_description:"Addresses, or networks such as 10.0.0.0/8, of the proxies before Slipway's: their X-Forwarded-* headers are believed. Default: none's are."`
}

// check refuses what is no address.
func check(s *Section, c extension.Checker) {
	for i, text := range s.TrustedProxies {
		if _, err := parseProxy(text); err != nil {
			c.Fail(fmt.Sprintf("trusted_proxies[%d]", i), "such as 127.0.0.1 or 10.0.0.0/8", "not an address or a network")
		}
	}
}

// Extension describes the target to the catalog.
func Extension() extension.Target {
	return extension.Target{
		Kind: "local", Description: "This machine.", Example: "local: {}", Section: extension.SectionOf(check),
		Abilities: extension.Abilities{Variables: true},
		OnMachine: true,
		Port: func(section any) int {
			s, _ := section.(*Section)
			return s.Port
		},
		New: func(h extension.Host) (port.Target, error) {
			return New(Config{Dir: filepath.Join(h.Home, "local"), Executable: h.Executable, Images: h.Images, Artifacts: h.Artifacts, LookupEnv: h.LookupEnv}), nil
		},
		Commands: []extension.Command{command(SuperviseCommand, false), command(LaunchCommand, true), command(InitCommand, false)},
	}
}

// command is an internal command. The one that makes user namespaces for others is
// dumpable, and holds no secrets.
func command(name string, dumpable bool) extension.Command {
	return extension.Command{Name: name, CatchSignals: true, Dumpable: dumpable, Run: func(ctx context.Context, args []string, out io.Writer) int {
		code, _ := RunInternal(ctx, append([]string{name}, args...), out)
		return code
	}}
}
