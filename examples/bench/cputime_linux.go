package main

import (
	"syscall"
	"time"
	"unsafe"
)

// cpuTime returns the processor time that a process has used so far; 0 means this process. It is the
// user and system time of all threads, also of those that have ended, in nanoseconds. The scheduler
// counts it (schedstat), so that time of other processes is not included. For another process the
// value is that of the last switch or tick of each of its threads, and exact when it is idle.
func cpuTime(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED; for this process CLOCK_PROCESS_CPUTIME_ID
	clock := scheduled
	if pid != 0 {
		clock = ^pid<<3 | scheduled // as clock_getcpuclockid(3) computes it
	}
	var at syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&at)), 0); errno != 0 {
		return 0, errno
	}
	return time.Duration(at.Nano()), nil
}
