package main

import (
	"syscall"
	"time"
	"unsafe"
)

// cpuTime is the processor time that a process has used so far, 0 being this one: user and
// system, all threads and those that have ended, to the nanosecond. It is what the scheduler
// counts (schedstat), and so nothing of what other processes take. Of another process it is as
// of the last time that each of its threads was switched or ticked: exact when it is at rest.
func cpuTime(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED; of this process it is CLOCK_PROCESS_CPUTIME_ID
	clock := scheduled
	if pid != 0 {
		clock = ^pid<<3 | scheduled // as clock_getcpuclockid(3) makes it
	}
	var at syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&at)), 0); errno != 0 {
		return 0, errno
	}
	return time.Duration(at.Nano()), nil
}
