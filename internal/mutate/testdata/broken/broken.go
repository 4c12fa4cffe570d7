// Package broken has a test that fails without a mutant.
package broken

func two(n int) bool { return n+n == 2 }
