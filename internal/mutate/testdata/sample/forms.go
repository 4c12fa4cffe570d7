package sample

import (
	"errors"
	"fmt"
	str "strings"
	tm "time"
)

// These forms have to compile with switches inserted.

const (
	low, high = 1, 3
	wait      = 2 * tm.Second
	big       = 1<<63 + low
	letter    = 'x'
	ratio     = 1.5
	word      = "word"
)

type (
	number  uint8
	truth   bool
	failure struct{}
)

func (*failure) Error() string { return "failure" }

var (
	keyed    = [...]string{low: "a", high: "b"}
	bits     = map[int]bool{low: true, high: false}
	computed = func() bool { return len(keyed) > high }()
	slots    [high * 2]struct{ on bool }
)

func numbers[T ~int | ~uint8](list []T, limit T) (count int) {
	for _, n := range list {
		if n >= limit && n < high || n == 0 {
			count++
		}
	}
	return
}

func forms(n int, s string, ch chan int, v any) (result string, err error) {
	defer func() bool { return recover() == nil }()
	var own *failure
	switch m := len(s); {
	case m > high:
		fallthrough
	case m == low:
		result = word
	}
	switch x := v.(type) {
	case nil, error:
		return result, own
	case int:
		n += x
	}
	switch c := str.ToLower(s); str.Count(c, "a") {
	case low, high:
		result += "few"
	}
	switch {
	}
	switch n {
	default:
		result += "any"
	}
again:
	for i := range high {
		select {
		case got := <-ch:
			n = got
			continue again
		case n = <-(chan int)(nil):
		case ch <- n + low:
			break again
		default:
			slots[i].on = !slots[i].on
		}
	}
	if n := number(n); n > 'a' || n<<low >= 250 || uint64(n) > big {
		goto end
	}
	if tm.Duration(n) > wait || tm.Duration(n) < 3*tm.Second && float64(n) > ratio {
		err = errors.New("late")
	}
	if ok := truth(n > low); bool(ok) && (s != "" || bits[n]) {
		_, err = fmt.Sscan(s, &n)
	}
	for n < low {
		n++
	}
	for range 2 {
		func() { result += string(rune(letter)) }()
	}
	if _, ok := bits[n]; !ok {
		return func() (string, error) {
			return str.Repeat(
				// the rest of the word
				word, low), err
		}()
	}
end:
	return result, err
}
