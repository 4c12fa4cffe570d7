package sample

import (
	"testing"
	"time"
)

func same[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestHas(t *testing.T) {
	l := &list[string]{items: []string{"a", "b"}}
	same(t, l.has(-1), false)
	same(t, l.has(0), true)
	same(t, l.has(1), true)
	same(t, l.has(3), false)
}

func TestCheck(t *testing.T) {
	same(t, check("1234"), nil)
	same(t, check("12345"), errLong)
	same(t, len(table), 4)
}

func TestFirst(t *testing.T) {
	same(t, first(nil), -1)
	same(t, first(&list[int]{}), -1)
	same(t, first(&list[int]{items: []int{7}}), 7)
}

func TestName(t *testing.T) {
	same(t, name(kindOne), "known")
	same(t, name(kindTwo), "known")
	same(t, name(0), "other")
}

func TestClass(t *testing.T) {
	for text, want := range map[string]string{"a": "a", "b": "", "0": "digit", "9": "digit", "/": "", ":": ""} {
		same(t, class(text), want)
	}
}

func TestLate(t *testing.T) {
	at := time.Unix(1000, 0)
	same(t, late(at, at.Add(5*time.Minute)), false)
	same(t, late(at, at.Add(5*time.Minute+time.Second)), true)
}

func TestSum(t *testing.T) {
	same(t, sum([][]int{{1, -1, 5}, {0, 2}}), 3)
}

func TestClamp(t *testing.T) {
	same(t, clamp(9), 9)
	same(t, clamp(10), 10)
	same(t, clamp(11), 10)
}

func TestNamed(t *testing.T) {
	same(t, named(false), true)
	same(t, named(true), false)
}

func TestDown(t *testing.T) {
	same(t, down(3), 3)
	same(t, down(0), 0)
}

func TestSlowlyNothing(*testing.T) {} // reaches no fault

func TestForms(t *testing.T) {
	same(t, numbers([]int{0, 1, 2, 3}, 1), 3)
	same(t, computed, true)
	got, err := forms(2, "aaaaa", make(chan int), 1)
	same(t, got, "wordanyxx")
	if err == nil {
		t.Error("no error")
	}
	for _, v := range []any{nil, 1, "x"} {
		forms(0, "", nil, v)
	}
}
