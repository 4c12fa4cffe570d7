package revocation

// Authorities returns the number of CAs that are remembered.
func (c *Checker) Authorities() int {
	c.authorities.mu.Lock()
	defer c.authorities.mu.Unlock()
	return len(c.authorities.all)
}
