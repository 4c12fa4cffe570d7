package certauth

import (
	"strings"
	"time"
)

// Validity extends or restricts the dates that a certificate must satisfy. The validity period
// itself is always checked, without clock skew unless one is set here. At least one field must be
// set; a negative value, a skew above one hour, or a MinRemaining that is not below MaxLifetime, is an
// error of [New].
type Validity struct {
	// ClockSkew accepts certificates this long before their validity begins and after it ends. It
	// applies to every anchor in the surrounding [All] and below, regardless of its position in
	// the list. Two different skews in one All are an error of New. The default is 0.
	ClockSkew time.Duration

	// MaxLifetime refuses certificates whose whole validity period is longer. 0 means no limit.
	MaxLifetime time.Duration

	// MinRemaining refuses certificates that expire sooner than this from now. 0 means no limit.
	MinRemaining time.Duration
}

// maxClockSkew is the largest Validity.ClockSkew.
const maxClockSkew = time.Hour

const skewWithoutEffect = "has no effect here; put the Validity directly into the All that has the anchor"

func (p Validity) compile(c *compilation, at place) (rule, standing) {
	path := at.path + ".Validity"
	c.forbidUnderNot(path, at)
	if p == (Validity{}) {
		c.mistake(path, "empty")
	}
	if p.ClockSkew < 0 || p.ClockSkew > maxClockSkew {
		c.mistake(path+".ClockSkew", "%s, want 0 to %s", p.ClockSkew, maxClockSkew)
	}
	if p.ClockSkew != 0 && p.ClockSkew != at.skew {
		c.mistake(path+".ClockSkew", skewWithoutEffect)
	}
	if p.MaxLifetime < 0 {
		c.mistake(path+".MaxLifetime", "negative")
	}
	if p.MinRemaining < 0 {
		c.mistake(path+".MinRemaining", "negative")
	}
	if p.MaxLifetime > 0 && p.MinRemaining >= p.MaxLifetime {
		c.mistake(path, "MinRemaining is %s and MaxLifetime %s, so that every certificate is refused", p.MinRemaining, p.MaxLifetime)
	}
	return &validityRule{path: path, Validity: p}, at.standing
}

// skewOf returns the skew within an All: that of its own Validity, otherwise that of the policies
// around it.
func (c *compilation) skewOf(list []Policy, at place) time.Duration {
	skew, own := at.skew, false
	for i, policy := range list {
		v, ok := policy.(Validity)
		if !ok || v.ClockSkew == 0 {
			continue
		}
		if own && v.ClockSkew != skew {
			c.mistake(index(at.path, "All", i)+".Validity.ClockSkew", "%s contradicts %s in the same All; set it once", v.ClockSkew, skew)
			continue
		}
		skew, own = v.ClockSkew, true
	}
	return skew
}

type validityRule struct {
	path string
	Validity
}

func (r *validityRule) judge(e *evaluation) *Error {
	leaf := e.facts.leaf
	if lifetime := leaf.NotAfter.Sub(leaf.NotBefore); r.MaxLifetime > 0 && lifetime > r.MaxLifetime {
		return refusal(ReasonLifetimeNotAllowed, r.path, "issued for %s, want at most %s", lifetime, r.MaxLifetime)
	}
	if remaining := leaf.NotAfter.Sub(e.now); r.MinRemaining > 0 && remaining < r.MinRemaining {
		return refusal(ReasonLifetimeNotAllowed, r.path, "%s remaining, want at least %s", remaining, r.MinRemaining)
	}
	return nil
}

func (r *validityRule) describe(p *printer) {
	var parts []string
	if r.ClockSkew > 0 {
		parts = append(parts, "clock skew "+r.ClockSkew.String())
	}
	if r.MaxLifetime > 0 {
		parts = append(parts, "issued for at most "+r.MaxLifetime.String())
	}
	if r.MinRemaining > 0 {
		parts = append(parts, "at least "+r.MinRemaining.String()+" remaining")
	}
	p.line("validity: %s", strings.Join(parts, ", "))
}
