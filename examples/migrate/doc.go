// Package migrate holds the Go of the pages beside it: what a service says in this library
// that was said to something else before. A test compares the pages with it.
package migrate
