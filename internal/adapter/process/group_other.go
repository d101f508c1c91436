//go:build !unix

package process

import (
	"errors"
	"os"
	"syscall"
)

var errSystem = errors.New("commands and jobs need Linux or macOS")

func commandAttr() *syscall.SysProcAttr  { return nil }
func watchdogAttr() *syscall.SysProcAttr { return nil }
func runnerAttr() *syscall.SysProcAttr   { return nil }

func signalGroup(int, bool)           {}
func groupAlive(int) bool             { return false }
func exitCode(s *os.ProcessState) int { return s.ExitCode() }
func checkSystem() error              { return errSystem }
