//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// groupOf makes the programs that a test process has started end together with it.
func groupOf(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
