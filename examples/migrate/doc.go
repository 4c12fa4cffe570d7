// Package migrate holds the Go code of the pages in this folder, which show how to replace other
// certificate checks by this library. A test compares the pages with the code.
package migrate
