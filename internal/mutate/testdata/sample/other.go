//go:build neverbuilt

package sample

func notBuilt() bool { return true + 1 }
