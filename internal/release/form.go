package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// release holds all modules of a version in release form.
type release struct {
	tree    *tree
	version string
	units   []*unit           // each after the ones that it requires
	content map[string][]byte // of go.mod and go.sum in release form, by path in the tree
}

// unit is one module.
type unit struct {
	module.Version
	dir string // path in the tree, "." for the root
	mod *modfile.File
	zip []byte
}

// prepare builds the release form of all modules in memory.
func prepare(ctx context.Context, t *tree, version string) (*release, error) {
	r := &release{tree: t, version: version, content: map[string][]byte{}}
	var units []*unit
	for _, dir := range t.directories() {
		name := path.Join(dir, "go.mod")
		text, err := t.read(name)
		if err != nil {
			return nil, err
		}
		mod, err := modfile.Parse(name, text, nil)
		if err != nil {
			return nil, err
		}
		if mod.Module == nil {
			return nil, fmt.Errorf("%s: no module line", name)
		}
		units = append(units, &unit{Version: module.Version{Path: mod.Module.Mod.Path, Version: version}, dir: dir, mod: mod})
	}
	var mistakes []error
	for _, u := range units {
		if want := path.Join(units[0].Path, u.dir); u.Path != want {
			mistakes = append(mistakes, fmt.Errorf("%s: module %s, want %s: Go finds a module by its directory", path.Join(u.dir, "go.mod"), u.Path, want))
		}
		if err := u.require(units); err != nil {
			mistakes = append(mistakes, err)
			continue
		}
		text, err := u.mod.Format()
		if err != nil {
			return nil, err
		}
		r.content[path.Join(u.dir, "go.mod")] = text
	}
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}
	if err := r.order(units); err != nil {
		return nil, err
	}
	for _, u := range r.units {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := r.sums(u); err != nil {
			return nil, err
		}
		if err := r.pack(u); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// require makes the module require the others at the release's version instead of replacing them.
func (u *unit) require(units []*unit) error {
	own := func(name string) bool { return name == units[0].Path || strings.HasPrefix(name, units[0].Path+"/") }
	var mistakes []error
	mistake := func(line *modfile.Line, format string, args ...any) {
		mistakes = append(mistakes, fmt.Errorf("%s:%d: %s", path.Join(u.dir, "go.mod"), line.Start.Line, fmt.Sprintf(format, args...)))
	}
	for _, exclude := range u.mod.Exclude {
		mistake(exclude.Syntax, "exclude %s: Go runs no command at a version whose go.mod excludes something", exclude.Mod)
	}
	for _, replace := range slices.Clone(u.mod.Replace) {
		if !own(replace.Old.Path) {
			mistake(replace.Syntax, "replace of %s: it would hold in this repository alone, and Go runs no command at a version whose go.mod has one", replace.Old.Path)
		} else if err := u.mod.DropReplace(replace.Old.Path, replace.Old.Version); err != nil {
			return err
		}
	}
	for _, line := range slices.Clone(u.mod.Require) {
		switch {
		case !own(line.Mod.Path):
		case slices.ContainsFunc(units, func(other *unit) bool { return other.Path == line.Mod.Path }):
			if err := u.mod.AddRequire(line.Mod.Path, u.Version.Version); err != nil {
				return err
			}
		default:
			mistake(line.Syntax, "require %s: that module is not released", line.Mod.Path)
		}
	}
	u.mod.Cleanup()
	return errors.Join(mistakes...)
}

// needs reports whether the module requires the other one.
func (u *unit) needs(other *unit) bool {
	return slices.ContainsFunc(u.mod.Require, func(line *modfile.Require) bool { return line.Mod.Path == other.Path })
}

// order sorts the modules so that each comes after those that it requires, because its go.sum
// contains their hashes.
func (r *release) order(units []*unit) error {
	for len(units) > 0 {
		i := slices.IndexFunc(units, func(u *unit) bool { return !slices.ContainsFunc(units, u.needs) })
		if i < 0 {
			return fmt.Errorf("%s and %s require each other, perhaps by way of others: no go.sum could hold the hashes of both", units[0].Path, units[len(units)-1].Path)
		}
		r.units = append(r.units, units[i])
		units = slices.Delete(units, i, i+1)
	}
	return nil
}

// sums builds the go.sum of a module, with lines for the other released modules.
func (r *release) sums(u *unit) error {
	name := path.Join(u.dir, "go.sum")
	text, err := r.tree.read(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	lines := map[module.Version][]string{}
	var keys []module.Version
	add := func(path, version, hash string) {
		key := module.Version{Path: path, Version: version}
		if lines[key] == nil {
			keys = append(keys, key)
		}
		lines[key] = append(lines[key], fmt.Sprintf("%s %s %s\n", path, version, hash))
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return fmt.Errorf("%s: %q is no line of a go.sum", name, line)
		}
		if !slices.ContainsFunc(r.units, func(other *unit) bool { return other.Path == fields[0] }) {
			add(fields[0], fields[1], fields[2])
		}
	}
	for _, other := range r.units {
		if !u.needs(other) {
			continue
		}
		zip, mod, err := r.hashes(other)
		if err != nil {
			return err
		}
		add(other.Path, r.version, zip)
		add(other.Path, r.version+"/go.mod", mod)
	}
	module.Sort(keys)
	var sorted bytes.Buffer
	for _, key := range keys {
		slices.Sort(lines[key])
		for _, line := range lines[key] {
			sorted.WriteString(line)
		}
	}
	if sorted.Len() > 0 {
		r.content[name] = sorted.Bytes()
	}
	return nil
}

// names returns the names of the files that have a release form, sorted.
func (r *release) names() []string {
	var names []string
	for name := range r.content {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// write changes the tree into release form.
func (r *release) write() error {
	for _, name := range r.names() {
		if err := os.WriteFile(r.tree.at(name), r.content[name], 0o644); err != nil { //nolint:gosec // the mode of Git's checkouts
			return err
		}
	}
	return nil
}

// written returns an error if the tree is not in release form.
func (r *release) written() error {
	var mistakes []error
	for _, name := range r.names() {
		text, err := r.tree.read(name)
		switch {
		case err != nil && !errors.Is(err, os.ErrNotExist):
			return err
		case bytes.Equal(text, r.content[name]):
		case path.Base(name) == "go.mod" && bytes.Contains(text, []byte("replace ")):
			mistakes = append(mistakes, fmt.Errorf("%s: a replace is left", name))
		default:
			mistakes = append(mistakes, fmt.Errorf("%s: not in the release form of %s", name, r.version))
		}
	}
	if len(mistakes) > 0 {
		return errors.Join(append(mistakes, fmt.Errorf("run \"release write %s\", look at the changes and commit them", r.version))...)
	}
	return nil
}

// tags returns the tags by which Go finds the versions of the modules, that of the root first.
func (r *release) tags() []string {
	var tags []string
	for _, u := range r.units {
		tags = append(tags, path.Join(u.dir, r.version))
	}
	slices.SortFunc(tags, func(a, b string) int {
		if one, other := strings.Count(a, "/"), strings.Count(b, "/"); min(one, other) == 0 && one != other {
			return one - other
		}
		return strings.Compare(a, b)
	})
	return tags
}
