package revocation

import (
	"io/fs"
	"os"
)

// Authorities returns the number of CAs that are remembered.
func (c *Checker) Authorities() int {
	c.authorities.mu.Lock()
	defer c.authorities.mu.Unlock()
	return len(c.authorities.all)
}

// OpenWith replaces the function that opens the operator's files. It must be called before the first
// use.
func (c *Checker) OpenWith(open func(name string) (*os.File, fs.FileInfo, error)) {
	c.local.open = open
}
