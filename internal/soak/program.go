//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// freePort returns a free port on loopback below those that the kernel assigns to clients.
func freePort() int {
	for range 1000 {
		port := 20000 + rand.IntN(10000) //nolint:gosec // protects nothing
		listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = listener.Close()
			return port
		}
	}
	panic("no free port between 20000 and 30000")
}

// program is nginx or redis-server, in its own process group.
type program struct {
	name string
	args []string
	dir  string
	port int

	mu      sync.Mutex
	command *exec.Cmd
}

// start starts the program and waits until it listens.
func (p *program) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var last error
	for range 5 {
		log, err := os.OpenFile(filepath.Join(p.dir, filepath.Base(p.name)+".out"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		command := exec.CommandContext(context.Background(), p.name, p.args...) //nolint:gosec // nginx and redis-server
		command.Dir, command.Stdout, command.Stderr = p.dir, log, log
		command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
		err = command.Start()
		_ = log.Close()
		if err != nil {
			return err
		}
		p.command = command
		if last = p.listens(); last == nil {
			return nil
		}
		p.end()
	}
	return fmt.Errorf("%s does not start: %w", p.name, last)
}

func (p *program) listens() (err error) {
	for range 100 {
		var conn net.Conn
		conn, err = net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", p.port), time.Second) //nolint:noctx // bounded
		if err == nil {
			return conn.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}

// end kills every process of the group and waits for the program.
func (p *program) end() {
	if p.command == nil {
		return
	}
	_ = syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL)
	_ = p.command.Wait() // "signal: killed"
	p.command = nil
}

func (p *program) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end()
}

// signal stops or continues every process of the group.
func (p *program) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.command != nil {
		_ = syscall.Kill(-p.command.Process.Pid, s)
	}
}

// newNginx returns an nginx with one server block.
func newNginx(dir, name, server string, port int) *program {
	dir = filepath.Join(dir, name)
	must(os.MkdirAll(dir, 0o700))
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // only this user may read the program's files
	}
	config := fmt.Sprintf(`%s
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
	access_log off;
	keepalive_timeout 1s; # connections and names are looked for anew
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	%s
}
`, user, server)
	must(os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(config), 0o600))
	return &program{name: "nginx", args: []string{"-e", "stderr", "-p", dir, "-c", filepath.Join(dir, "nginx.conf")}, dir: dir, port: port}
}

func newRedis(dir string, port int) *program {
	dir = filepath.Join(dir, "redis")
	must(os.MkdirAll(dir, 0o700))
	return &program{
		name: "redis-server", dir: dir, port: port,
		args: []string{"--port", fmt.Sprint(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir, "--daemonize", "no"},
	}
}
