//go:build !unix

package process

import (
	"errors"
	"os"
	"syscall"
)

var errSystem = errors.New("commands and jobs need Linux or macOS")

func ownGroup() *syscall.SysProcAttr   { return nil }
func guardGroup() *syscall.SysProcAttr { return nil }
func detached() *syscall.SysProcAttr   { return nil }

func signalGroup(int, bool)           {}
func groupAlive(int) bool             { return false }
func exitCode(s *os.ProcessState) int { return s.ExitCode() }
func checkSystem() error              { return errSystem }
