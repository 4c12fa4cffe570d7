package certauth

import (
	"crypto/x509"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
)

// AcceptServerAuth accepts what its policy accepts, and within it treats the extended key usage
// serverAuth as equivalent to clientAuth, in the leaf and in the CAs above it. It exists because
// public CAs no longer issue certificates for clientAuth: a partner that uses the certificate of
// a web server has no other until it gets one from a private CA.
//
// It applies to the [Chain] policies and the pins within Policy and to nothing else. Chain and
// leaf must allow one common purpose, clientAuth or serverAuth. All other requirements of a Chain
// are unchanged.
//
// What can happen: a certificate that was issued for a server, and is installed on a server,
// becomes a client's identity. Accept it only from a CA or a certificate that you name.
//
// Reason explains this to reviewers of the configuration. It is printed by
// [Authenticator.String], which is logged at start, and is in [Event.ServerAuth] and in the log
// record of each caller that was accepted because of it.
//
// It does not apply to a front end that verifies (FrontEndVerifies in package forwarded). This
// package does not know which CAs the front end trusts; if public ones are among them, the
// certificate of any web server would be accepted. Such a front end is an anchor for the whole
// policy, and it requires clientAuth. Leave FrontEndVerifies unset; then the Chain or the pin
// within Policy is the anchor.
//
// Errors of [New]: an empty Reason; no Chain and no pin within Policy; [InsecureSystemRoots]
// within it, because the certificate of any web server would be accepted; Chain.StrictEKU within
// it, which requires the opposite; and a source whose front end verifies.
type AcceptServerAuth struct {
	Reason string
	Policy Policy
}

func (p AcceptServerAuth) compile(c *compilation, at place) (rule, standing) {
	at.path += ".AcceptServerAuth"
	if p.Reason != strings.TrimSpace(p.Reason) || p.Reason == "" {
		c.mistake(at.path+".Reason", "%s; give the reason in words", quote(p.Reason))
	}
	if c.verified {
		c.mistake(at.path, "has no effect together with FrontEndVerifies, whose anchor requires clientAuth; remove FrontEndVerifies and name the CA in a Chain here")
	}
	at.serverAuth = p.Reason
	before := c.anchors
	part, end := c.child(p.Policy, at)
	if c.anchors == before {
		c.mistake(at.path, "contains neither a Chain nor a pin, so it has no effect; put the anchor into it")
	}
	if !slices.Contains(c.serverAuth, p.Reason) {
		c.serverAuth = append(c.serverAuth, p.Reason)
	}
	return serverAuthRule{reason: p.Reason, part: part}, end
}

type serverAuthRule struct {
	reason string
	part   rule
}

func (r serverAuthRule) judge(e *evaluation) *Error { return r.part.judge(e) }

func (r serverAuthRule) describe(p *printer) {
	p.group("serverAuth accepted for clientAuth, because: "+quote(r.reason), []rule{r.part})
}

// byServerAuth returns the reason of the [AcceptServerAuth] that accepted a caller without
// clientAuth, or "" if the caller needed none. Every other rule refuses such a certificate, so
// there is one.
func (a *Authenticator) byServerAuth(id *Identity) string {
	if id == nil || id.verdict == nil {
		return ""
	}
	for _, chain := range id.verdict.chains {
		if chain.serverAuth != "" {
			return chain.serverAuth
		}
	}
	if certcheck.IsForClients(id.verdict.facts.leaf, false) {
		return ""
	}
	return strings.Join(a.serverAuth, "; ")
}

// needsServerAuth reports whether the whole chain has no purpose of a client in common.
func needsServerAuth(chain []*x509.Certificate) bool {
	return slices.ContainsFunc(chain, func(c *x509.Certificate) bool { return !certcheck.IsForClients(c, false) })
}
