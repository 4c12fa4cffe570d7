package certauth

import "github.com/seed2886b8ae/go-certauth/internal/der"

// screens are pins of the whole certificate, which can refuse it by its bytes, before it is parsed. At
// least one of them must know a certificate. Otherwise the policy refuses it with their Reason,
// whatever its other rules say.
type screens []*pinRule

// screensOf returns the screens of a rule: the pins that are evaluated before all other rules. A
// pin after a Chain is not a screen, because the refusal of the Chain comes first.
func screensOf(r rule) screens {
	switch r := r.(type) {
	case *pinRule:
		if r.kind.vouches == vouchedNames {
			return screens{r}
		}
	case namedRule:
		return screensOf(r.part)
	case serverAuthRule:
		return screensOf(r.part)
	case allRule:
		for _, part := range r {
			if v, ok := part.(*validityRule); ok && v.MaxLifetime == 0 && v.MinRemaining == 0 {
				continue // a clock skew alone refuses nothing
			}
			return screensOf(part)
		}
	case *anyRule:
		var all screens
		for _, part := range r.parts {
			one := screensOf(part)
			if len(one) == 0 {
				return nil
			}
			all = append(all, one...)
		}
		return all
	}
	return nil
}

// check refuses a certificate that no screen knows. Data that is not one DER sequence passes, so
// that the parser reports what is wrong with it.
func (s screens) check(leaf []byte) error {
	if !isOneSequence(leaf) {
		return nil
	}
	var sums [pinKinds][]byte // each computed once, because there can be thousands of screens
	for _, one := range s {
		sum := &sums[one.kind.slot]
		if *sum == nil {
			*sum = one.kind.sum(leaf)
		}
		if one.knows(*sum) {
			return nil
		}
	}
	var all []*Error
	for _, one := range s {
		all = append(all, one.mismatch(sums[one.kind.slot]))
	}
	return furthest(all)
}

// isOneSequence reports whether the bytes are exactly one SEQUENCE in DER.
func isOneSequence(data []byte) bool {
	element, rest, ok := der.Read(data)
	return ok && len(rest) == 0 && element.Tag == der.Sequence
}

// knows reports whether the rule may accept a certificate with this digest.
func (r *pinRule) knows(sum []byte) bool {
	pins := r.pins.Get()
	return pins == nil || pins.Len() == 0 || pins.Contains(sum)
}
