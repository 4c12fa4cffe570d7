package certauth

import "time"

// frontEndRule is the anchor before the policy if the operator states that the front end verifies
// (FrontEndVerifies in package forwarded). The checks that are always on are made here too, because
// no anchor switches them off.
type frontEndRule struct {
	path string
	skew time.Duration
}

func (r *frontEndRule) judge(e *evaluation) *Error {
	if e.facts.isCA {
		return refusal(ReasonCertificateIsCA, r.path, "the leaf is a CA certificate")
	}
	if refused := checkUnchained(r.path, e.facts, ""); refused != nil {
		return refused
	}
	if refused := checkLeafDates(r.path, e, r.skew); refused != nil {
		return refused
	}
	e.path.anchor(vouchedNames, nil)
	return nil
}

// skewAtTop returns the clock skew of the whole policy: that of a Validity directly in the outermost
// All.
func skewAtTop(policy Policy) time.Duration {
	if list, ok := policy.(All); ok {
		return (&compilation{}).skewOf(list, place{})
	}
	return 0
}

func (r *frontEndRule) describe(p *printer) { p.line("verified by the front end") }
