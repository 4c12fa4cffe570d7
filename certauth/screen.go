package certauth

// screening is a rule that can refuse a certificate by its bytes, before it is parsed.
type screening interface {
	refuser
	// knows reports whether the rule may accept a certificate of this DER.
	knows(der []byte) bool
}

// screens are the rules of which one must know a certificate, or the policy refuses it
// with their reason, whatever else it says.
type screens []screening

// screensOf returns the screens of a rule. They are those asked before anything else: a
// pin behind a Chain refuses only what the Chain has accepted, and says so.
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

// check refuses what no screen knows. What is not one DER sequence passes, so that the
// parser says what is wrong with it.
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

// isOneSequence reports whether the bytes are one SEQUENCE of definite length, and nothing
// behind it.
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
