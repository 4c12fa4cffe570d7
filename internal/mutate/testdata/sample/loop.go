package sample

func down(n int) int {
	steps := 0
	for n > 0 {
		n--
		steps++
	}
	return steps
}
