package broken

import "testing"

func TestBroken(t *testing.T) {
	if two(1) {
		t.Error("as it is")
	}
}

func TestWhole(t *testing.T) {
	if !two(1) {
		t.Error("one and one")
	}
}
