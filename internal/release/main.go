// Release makes what a version of this repository consists of. It is a tool for the developers
// of this module:
//
//	go -C internal/release run . write v0.1.0
//	go -C internal/release run . tags v0.1.0
//	go -C internal/release run . proxy v0.1.0 DIRECTORY
//	go -C internal/release run . check v0.1.0
//
// The repository holds the root module, the modules below certauth, and modules of examples and
// of tests. A version is one of the root module and of all modules below certauth, under the same
// number. While they are developed their go.mod files point at each other by replace lines, and
// Go runs or installs no command at a version while its go.mod has such lines. In release form
// they have none: they require each other at the version, and each go.sum holds the hashes of
// the others.
//
// Write changes go.mod and go.sum of the work tree into release form. Tags prints the tags of the
// version, one a line, if the commit that is checked out is in release form. Both refuse a
// version that Go would not take, a tree with changes, a changelog without a section for the
// version, and tags that are there already.
//
// Proxy and check ask for none of that and leave the tree alone, so that they serve while working.
// Proxy writes what a module proxy would serve of the tree in release form into a directory, for
// GOPROXY=file://DIRECTORY. Check takes each module below certauth out of its archive, where
// nothing lies beside it, and has the go command say whether its go.mod and go.sum are whole and
// all that it imports and embeds is there. The go command needs such a GOPROXY for that.
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
		_, _ = fmt.Fprintf(os.Stderr, "release: %v\n", err) // nobody is left to tell
		os.Exit(1)
	}
}

// do does what args say for the work tree that dir is in.
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
