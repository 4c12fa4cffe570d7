package certauth

// screening is a rule that can refuse a certificate by its bytes, before it is parsed.
type screening interface {
	refuser
	// knows reports whether the rule may accept a certificate with this DER.
	knows(der []byte) bool
}

// screens are rules of which at least one must know a certificate. Otherwise the policy refuses it
// with their Reason, whatever its other rules say.
type screens []screening

// screensOf returns the screens of a rule: the pins that are evaluated before all other rules. A
// pin after a Chain is not a screen, because the refusal of the Chain comes first.
func screensOf(r rule) screens {
	switch r := r.(type) {
	case *pinRule:
		if r.kind.digest != nil {
			return screens{r}
		}
	case *exactRule:
		return screens{r}
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
	for _, one := range s {
		if one.knows(leaf) {
			return nil
		}
	}
	refused := s[0].refusal(nil)
	if len(s) > 1 {
		all := []*Error{refused}
		for _, one := range s[1:] {
			all = append(all, one.refusal(nil))
		}
		refused = furthest(all)
	}
	return refused
}

// isOneSequence reports whether the bytes are exactly one SEQUENCE of definite length.
func isOneSequence(der []byte) bool {
	if len(der) < 2 || der[0] != 0x30 {
		return false
	}
	size, rest := int(der[1]), der[2:]
	if size >= 0x80 {
		octets := size & 0x7F
		if octets == 0 || octets > 3 || len(rest) < octets {
			return false
		}
		size = 0
		for _, c := range rest[:octets] {
			size = size<<8 | int(c)
		}
		rest = rest[octets:]
	}
	return len(rest) == size
}

func (r *pinRule) knows(der []byte) bool {
	pins := r.pins.Get()
	return pins == nil || pins.len() == 0 || pins.contains(r.kind.digest(der))
}

func (r *exactRule) knows(der []byte) bool {
	for _, cert := range r.certs {
		if string(cert.Raw) == string(der) {
			return true
		}
	}
	return false
}
