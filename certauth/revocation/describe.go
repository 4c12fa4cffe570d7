package revocation

import "strings"

// String describes how the Checker treats missing evidence, as part of the policy text of package
// certauth. It names every setting that accepts callers without evidence.
func (c *Checker) String() string {
	words := []string{"hard fail"}
	if c.config.Mode == SoftFail {
		words[0] = "soft fail: accepted if there is no evidence"
	}
	if c.config.Scope == LeafOnly {
		words = append(words, "only the client's certificate")
	}
	if c.config.AllowNoSource && c.config.Mode != SoftFail {
		words = append(words, "accepted if it names no source")
	}
	if c.config.AllowUnknown {
		words = append(words, "unknown is accepted")
	}
	if c.config.ShortLived > 0 {
		words = append(words, "short-lived up to "+c.config.ShortLived.String()+" accepted")
	}
	if c.config.StaleGrace > 0 {
		words = append(words, "good for "+c.config.StaleGrace.String()+" after it expired")
	}
	return strings.Join(words, ", ")
}
