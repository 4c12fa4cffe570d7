//go:build linux

package main

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// makeDisk mounts a small file system for the directory store, if this process is permitted to, so
// that it can be filled without filling the machine's.
func makeDisk(dir string) (hasDisk bool) {
	must(os.MkdirAll(dir, 0o700))
	return syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m") == nil
}

func removeDisk(dir string) { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }

// fill uses up the remaining space.
func fill(path string) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	must(err)
	defer f.Close()
	piece := make([]byte, 4096)
	for range 1024 {
		if _, err := f.Write(piece); err != nil {
			return
		}
	}
}

// rewriteFiles changes every file of the directory store. If change returns nil, the file is
// removed.
func (s *soak) rewriteFiles(change func(name string, all [][]byte) []byte) {
	entries, err := os.ReadDir(s.storeDir)
	if err != nil {
		return
	}
	var all [][]byte
	for _, e := range entries {
		if der, err := os.ReadFile(filepath.Join(s.storeDir, e.Name())); err == nil {
			all = append(all, der)
		}
	}
	for _, e := range entries {
		path := filepath.Join(s.storeDir, e.Name())
		if len(all) == 0 {
			return
		}
		if next := change(e.Name(), all); next != nil {
			_ = os.WriteFile(path, next, 0o600)
		} else {
			_ = os.Remove(path)
		}
	}
}

func (s *soak) dumpRedis() map[string][]byte {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	all := map[string][]byte{}
	for _, key := range s.redisClient.Keys(ctx, "*").Val() {
		if value, err := s.redisClient.Get(ctx, key).Bytes(); err == nil {
			all[key] = value
		}
	}
	return all
}

// rewriteRedis changes every value.
func (s *soak) rewriteRedis(change func(all [][]byte) []byte) {
	known := s.dumpRedis()
	var all [][]byte
	for _, value := range known {
		all = append(all, value)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for key := range known {
		s.redisClient.Set(ctx, key, change(all), time.Minute)
	}
}
