package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipway-cd/slipway/internal/atomicfile"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Unit is a unit of systemd that keeps a project's services running.
type Unit struct {
	Path    string `json:"path"`
	Secrets string `json:"secrets"` // file with the variables that it gets
	Enable  string `json:"enable"`  // command
}

// WriteUnit writes the unit for the project: one of the system for root, and otherwise
// one of the user.
func (a *App) WriteUnit(ctx context.Context) (Unit, error) {
	var unit Unit
	err := a.withSession(ctx, func(s *session) error {
		program, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find this program: %w", err)
		}
		name := "slipway-" + string(s.workspace.Project)
		unit, err = a.unitPlace(name)
		if err != nil {
			return err
		}
		return writeUnit(unit.Path, s.workspace.Repository, unitText(name, program, s.workspace, unit.Secrets, os.Geteuid() == 0))
	})
	return unit, err
}

func (a *App) unitPlace(name string) (Unit, error) {
	if os.Geteuid() == 0 {
		return Unit{
			Path: "/etc/systemd/system/" + name + ".service", Secrets: "/etc/slipway/" + name + ".env",
			Enable: "systemctl daemon-reload && systemctl enable --now " + name,
		}, nil
	}
	folder := a.userConfig()
	if folder == "" {
		return Unit{}, fault.New(fault.Invalid, "write a unit of systemd: neither XDG_CONFIG_HOME nor HOME is set")
	}
	return Unit{
		Path: filepath.Join(folder, "systemd", "user", name+".service"), Secrets: filepath.Join(folder, "slipway", name+".env"),
		Enable: "systemctl --user daemon-reload && systemctl --user enable --now " + name + " && loginctl enable-linger",
	}, nil
}

// unitText keeps what the processes need that it starts: the folder of the state, and
// cgroups for the limits of replicas.
func unitText(name, program string, w Workspace, secrets string, isRoot bool) string {
	target := "default.target"
	if isRoot {
		target = "multi-user.target"
	}
	literal := strings.NewReplacer("%", "%%")
	quoted := strings.NewReplacer("%", "%%", `\`, `\\`, `"`, `\"`)
	return fmt.Sprintf(`# Written by slipway up --systemd.
[Unit]
Description=%s: services that Slipway keeps running
Wants=network-online.target
After=network-online.target

[Service]
%s
Environment="SLIPWAY_HOME=%s"
EnvironmentFile=-%s
ExecStart="%s" up --watch
Restart=on-failure
RestartSec=2
Delegate=yes

[Install]
WantedBy=%s
`, name, unitFolder(w.Repository), quoted.Replace(w.Home), literal.Replace(secrets), quoted.Replace(program), target)
}

func unitFolder(repository string) string {
	return "WorkingDirectory=" + strings.ReplaceAll(repository, "%", "%%")
}

// writeUnit replaces the unit of the same repository only: another one may have a
// service of that name.
func writeUnit(path, repository, text string) error {
	old, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fault.New(fault.FileKind(err), "read the unit %s", path).Cause(err)
	case !strings.Contains(string(old), "\n"+unitFolder(repository)+"\n"):
		return fault.New(fault.Conflict, "%s is the unit of another folder", path).Hint("remove it, or copy it under another name")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fault.New(fault.FileKind(err), "write the unit %s", path).Cause(err)
	}
	if err := atomicfile.Write(path, []byte(text), 0o644); err != nil {
		return fault.New(fault.FileKind(err), "write the unit %s", path).Cause(err)
	}
	return nil
}
