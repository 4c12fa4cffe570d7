package main

import (
	stdzip "archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

// pack builds the archive of a module as the go command builds it from the tag: it omits files of
// nested modules, and adds the root's licence if the module has none.
func (r *release) pack(u *unit) error {
	names := map[string]string{} // name in the archive to name in the tree
	for _, name := range r.tree.below(u.dir) {
		names[name] = path.Join(u.dir, name)
	}
	if names["LICENSE"] == "" {
		names["LICENSE"] = "LICENSE"
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		names[name] = path.Join(u.dir, name)
	}
	var files []zip.File
	for name, full := range names {
		content, ok := r.content[full]
		if !ok {
			info, err := os.Lstat(r.tree.at(full))
			if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
				continue // archives contain no links
			}
			if err != nil {
				return err
			}
			if content, err = r.tree.read(full); err != nil {
				return err
			}
		}
		files = append(files, file{name, content})
	}
	var archive bytes.Buffer
	if err := zip.Create(&archive, u.Version, files); err != nil {
		return err
	}
	u.zip = archive.Bytes()
	return nil
}

// hashes returns the hashes of a module's archive and of its go.mod, as written in a go.sum.
func (r *release) hashes(u *unit) (archive, mod string, err error) {
	reader, err := stdzip.NewReader(bytes.NewReader(u.zip), int64(len(u.zip)))
	if err != nil {
		return "", "", err
	}
	var names []string
	byName := map[string]*stdzip.File{}
	for _, file := range reader.File {
		names = append(names, file.Name)
		byName[file.Name] = file
	}
	archive, err = dirhash.Hash1(names, func(name string) (io.ReadCloser, error) { return byName[name].Open() })
	if err != nil {
		return "", "", err
	}
	mod, err = dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(r.content[path.Join(u.dir, "go.mod")])), nil
	})
	return archive, mod, err
}

// proxy writes the files that a module proxy serves for the version
// (https://go.dev/ref/mod#goproxy-protocol).
func (r *release) proxy(ctx context.Context, dir string) error {
	at, err := r.tree.committed(ctx)
	if err != nil {
		return err
	}
	info, err := json.Marshal(struct {
		Version string
		Time    time.Time
	}{r.version, at})
	if err != nil {
		return err
	}
	for _, u := range r.units {
		escaped, err := module.EscapePath(u.Path)
		if err != nil {
			return err
		}
		version, err := module.EscapeVersion(r.version)
		if err != nil {
			return err
		}
		folder := filepath.Join(dir, filepath.FromSlash(escaped), "@v")
		if err := os.MkdirAll(folder, 0o750); err != nil {
			return err
		}
		for name, content := range map[string][]byte{
			"list": []byte(r.version + "\n"), version + ".info": info, version + ".zip": u.zip,
			version + ".mod": r.content[path.Join(u.dir, "go.mod")],
		} {
			if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// file is one file of an archive, with its metadata.
type file struct {
	path    string
	content []byte
}

func (f file) Path() string                 { return f.path }
func (f file) Lstat() (fs.FileInfo, error)  { return f, nil }
func (f file) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(f.content)), nil }

func (f file) Name() string     { return path.Base(f.path) }
func (f file) Size() int64      { return int64(len(f.content)) }
func (file) Mode() fs.FileMode  { return 0o644 }
func (file) ModTime() time.Time { return time.Time{} }
func (file) IsDir() bool        { return false }
func (file) Sys() any           { return nil }
