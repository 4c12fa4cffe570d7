// Release prepares the versions of this repository. It is a tool for the developers of this module:
//
//	go -C internal/release run . write v0.1.0
//	go -C internal/release run . tags v0.1.0
//	go -C internal/release run . proxy v0.1.0 DIRECTORY
//	go -C internal/release run . check v0.1.0
//
// The repository contains the root module, the modules below certauth, and the modules of examples
// and tests. A version consists of the root module and all modules below certauth, with the same
// number. During development their go.mod files refer to each other with replace directives, but Go
// does not run or install a command at a version whose go.mod contains such directives. In release
// form they contain none: the modules require each other at the version, and each go.sum contains
// the hashes of the others.
//
// Write changes go.mod and go.sum of the work tree into release form. Tags prints the tags of the
// version, one per line, if the current commit is in release form. Both refuse a version that is
// invalid in Go, a tree with uncommitted changes, a changelog without a section for the version,
// and tags that already exist.
//
// Proxy and check have none of these requirements and do not change the tree, so they can be used
// during development. Proxy writes what a module proxy would serve for the tree in release form
// into a directory, for GOPROXY=file://DIRECTORY. Check extracts each module below certauth from
// its archive, away from the other modules, and lets the go command verify that its go.mod and
// go.sum are complete and that everything it imports and embeds exists. For this, the go command
// needs such a GOPROXY.
//
// The exit status is 0, or 1 with the reason on the standard error.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
)

const usage = `usage: release write VERSION            put the work tree into release form
       release tags VERSION             check the commit and print the tags
       release proxy VERSION DIRECTORY  lay out a module proxy of the work tree
       release check VERSION            see that each module stands by itself`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := do(ctx, ".", os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		_, _ = fmt.Fprintf(os.Stderr, "release: %v\n", err) // if this fails, there is nowhere to report it
		os.Exit(1)
	}
}

// do runs the command in args for the work tree that contains dir.
func do(ctx context.Context, dir string, args []string, out io.Writer) error {
	if want := map[string]int{"write": 2, "tags": 2, "proxy": 3, "check": 2}; len(args) == 0 || len(args) != want[args[0]] {
		return errors.New(usage)
	}
	command, version := args[0], args[1]
	if err := checkVersion(version); err != nil {
		return err
	}
	t, err := openTree(ctx, dir)
	if err != nil {
		return err
	}
	if command == "write" || command == "tags" {
		if err := t.ready(ctx, version); err != nil {
			return err
		}
	}
	r, err := prepare(ctx, t, version)
	if err != nil {
		return err
	}
	switch command {
	case "write":
		return r.write()
	case "proxy":
		return r.proxy(ctx, args[2])
	case "check":
		return r.check(ctx)
	}
	if err := r.written(); err != nil {
		return err
	}
	for _, tag := range r.tags() {
		if _, err := fmt.Fprintln(out, tag); err != nil {
			return err
		}
	}
	return nil
}
