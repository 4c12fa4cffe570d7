//go:build !unix

package main

import "os/exec"

// groupOf does nothing: on this system, programs that a test process has started may outlive it.
func groupOf(*exec.Cmd) {}
