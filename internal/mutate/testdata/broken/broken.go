// Package broken has a test that fails as it is.
package broken

func two(n int) bool { return n+n == 2 }
