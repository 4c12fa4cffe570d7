package revocation

import "strings"

// String says how the Checker treats missing evidence, in the words of the policy that New
// of package certauth prints: what lets callers in without evidence is named.
func (c *Checker) String() string {
	words := []string{"hard fail"}
	if c.config.Mode == SoftFail {
		words[0] = "soft fail: accepted where no evidence can be had"
	}
	if c.config.Scope == LeafOnly {
		words = append(words, "the client's certificate alone")
	}
	if c.config.AllowNoSource && c.config.Mode != SoftFail {
		words = append(words, "accepted where no source is named")
	}
	if c.config.AllowUnknown {
		words = append(words, "unknown is accepted")
	}
	if c.config.ShortLived > 0 {
		words = append(words, "short-lived up to "+c.config.ShortLived.String()+" accepted")
	}
	if c.config.StaleGrace > 0 {
		words = append(words, "good for "+c.config.StaleGrace.String()+" after it ran out")
	}
	return strings.Join(words, ", ")
}
