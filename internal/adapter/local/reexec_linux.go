package local

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-cd/slipway/internal/adapter/local/container"
	"github.com/slipway-cd/slipway/internal/adapter/local/supervisor"
	"github.com/slipway-cd/slipway/internal/dumpable"
	"github.com/slipway-cd/slipway/internal/fault"
)

// RunInternal runs the internal command in args ("supervise ...",
// "launch-containers ...", "container-init"), if it is one. Call it first, before any expensive
// initialization: containers start here. ctx ends with SIGTERM; out receives the
// supervisor's log.
func RunInternal(ctx context.Context, args []string, out io.Writer) (code int, handled bool) {
	if len(args) == 0 {
		return 0, false
	}
	switch args[0] {
	case InitCommand:
		ContainerInit()
	case container.LaunchCommand:
		return container.RunLauncher(args[1:], out), true
	case SuperviseCommand:
		if err := Supervise(ctx, args[1:], out); err != nil {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// ContainerInit sets up a container in this process and becomes the service in
// it. It does not return.
func ContainerInit() { container.Init() }

// Startup messages of a supervisor to the process that started it.
const (
	startupReady = "ready"
	startupBusy  = "busy"
)

// Supervise runs the supervisor of a state folder until ctx ends, it is stopped,
// or no release is deployed. args are those of superviseArgs; out receives the
// log.
func Supervise(ctx context.Context, args []string, out io.Writer) error {
	// It holds the values of variables that services get, and exec has made it dumpable.
	if err := dumpable.Clear(); err != nil {
		return fmt.Errorf("protect the supervisor from others of the same user: %w", err)
	}
	var cfg supervisor.Config
	flags := flag.NewFlagSet(SuperviseCommand, flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&cfg.Dir, "dir", "", "state folder")
	flags.DurationVar(&cfg.StartTimeout, "start-timeout", 0, "time until a release must be ready")
	flags.DurationVar(&cfg.GracePeriod, "grace", 0, "time between SIGTERM and SIGKILL")
	flags.DurationVar(&cfg.ProbeInterval, "probe-interval", 0, "time between probes of a ready replica")
	flags.DurationVar(&cfg.HungTimeout, "hung-timeout", 0, "time after which a silent replica is replaced")
	runtimeName := flags.String("runtime", "", container.RuntimeNames)
	initArgs := flags.String("init", InitCommand, "arguments of the container's first process")
	readyFD := flags.Uint("ready-fd", 0, "file descriptor to report readiness on")
	if err := flags.Parse(args); err != nil {
		return err
	}
	logger := log.New(newRotatingLog(cfg.Dir, out), "", log.LstdFlags|log.LUTC|log.Lmsgprefix)
	cfg.Log = logger
	report := func(word string) {}
	if *readyFD > 2 {
		pipe := os.NewFile(uintptr(*readyFD), "ready")
		report = func(word string) {
			_, _ = io.WriteString(pipe, word) // the parent may have exited
			pipe.Close()
		}
	}
	closeInherited(int(*readyFD))
	err := supervise(ctx, cfg, *runtimeName, strings.Fields(*initArgs), func() { report(startupReady) })
	if errors.Is(err, supervisor.ErrBusy) {
		report(startupBusy)
		return nil
	}
	if err != nil {
		logger.Printf("supervisor exits: %v", err)
		message, _ := json.Marshal(supervisor.NewRemoteError(err)) // cannot fail for strings
		report(string(message))
	}
	return err
}

func supervise(ctx context.Context, cfg supervisor.Config, runtimeName string, initArgs []string, ready func()) error {
	if cfg.Dir == "" {
		return fault.New(fault.Invalid, "supervise: --dir is not set").Hint("this command is internal to Slipway; see `slipway run`")
	}
	launcher := container.NewLauncher(cfg.Dir)
	defer launcher.Close()
	cfg.Show = launcher.Hold
	var err error
	if cfg.Runtime, err = container.SelectRuntime(runtimeName, cfg.Dir, initArgs, launcher); err != nil {
		return err
	}
	return supervisor.Run(ctx, cfg, ready)
}

// closeInherited closes inherited file descriptors: a service must not get them,
// and a shell that waits for the end of a pipe must not wait for the supervisor.
// Descriptors opened by Go are close-on-exec; inherited ones are not.
func closeInherited(except int) {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return
	}
	for _, entry := range open {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil || fd <= 2 || fd == except {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd) // cannot fail: it is open
		}
	}
	if except > 2 {
		unix.CloseOnExec(except)
	}
}

// superviseArgs returns the arguments that Supervise parses.
func superviseArgs(cfg Config) []string {
	args := []string{"--dir", cfg.Dir, "--ready-fd", "3", "--init", strings.Join(cfg.InitArgs, " ")}
	if cfg.Runtime != "" {
		args = append(args, "--runtime", cfg.Runtime)
	}
	for name, d := range map[string]time.Duration{
		"start-timeout": cfg.StartTimeout, "grace": cfg.GracePeriod, "probe-interval": cfg.ProbeInterval, "hung-timeout": cfg.HungTimeout,
	} {
		if d != 0 {
			args = append(args, fmt.Sprintf("--%s=%s", name, d))
		}
	}
	return append(append([]string(nil), cfg.SuperviseArgs...), args...)
}
