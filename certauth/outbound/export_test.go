package outbound

// Sweep does what the goroutine of a Certificate does after each reload.
func Sweep(c *Certificate) { c.eachTransport((*transport).sweep) }
