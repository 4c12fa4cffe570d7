package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// process is a started server.
type process struct {
	name    string
	address string
	cmd     *exec.Cmd
	stdin   io.Closer
}

// start runs a server that prints its address first and ends when its standard input ends, so that it
// never outlives this process.
func start(ctx context.Context, name, dir string, command ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // the commands are written in this program
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NODE_ENV=production")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{name: name, cmd: cmd, stdin: stdin}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s did not start", name), err, p.stop())
	}
	p.address = strings.TrimSpace(line)
	return p, nil
}

func (p *process) stop() error {
	p.stdin.Close()
	return p.cmd.Wait()
}

// cores returns one processor for the servers and another for the load, of those that this process may
// use. It returns false if there are fewer than two or no taskset.
func cores() (server, load string, pinned bool) {
	if _, err := exec.LookPath("taskset"); err != nil {
		return "", "", false
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "", "", false
	}
	for line := range strings.Lines(string(status)) {
		if list, found := strings.CutPrefix(line, "Cpus_allowed_list:"); found {
			return firstTwo(strings.TrimSpace(list))
		}
	}
	return "", "", false
}

// firstTwo takes two processors out of a list such as "0-3,8".
func firstTwo(list string) (first, second string, found bool) {
	var all []string
	for part := range strings.SplitSeq(list, ",") {
		low, high, span := strings.Cut(part, "-")
		if !span {
			high = low
		}
		from, err1 := strconv.Atoi(low)
		to, err2 := strconv.Atoi(high)
		if err1 != nil || err2 != nil {
			return "", "", false
		}
		for n := from; n <= to && len(all) < 2; n++ {
			all = append(all, strconv.Itoa(n))
		}
	}
	if len(all) < 2 {
		return "", "", false
	}
	return all[0], all[1], true
}

// pinSelf moves this process, the load generator, to one processor.
func pinSelf(ctx context.Context, cpu string) error {
	out, err := exec.CommandContext(ctx, "taskset", "-a", "-p", "-c", cpu, strconv.Itoa(os.Getpid())).CombinedOutput() //nolint:gosec // a number of the kernel's own list
	if err != nil {
		return fmt.Errorf("taskset: %w: %s", err, out)
	}
	return nil
}
