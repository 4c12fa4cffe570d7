//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// groupOf makes the end of a test process also that of the programs it has started.
func groupOf(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
