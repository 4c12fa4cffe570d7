package outbound

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// verifyServer does the whole verification of a server: chain, name, dates, usage and pins, with the roots in use now.
func (c *Certificate) verifyServer(name string, cs tls.ConnectionState) error {
	if name == "" {
		name = cs.ServerName
	}
	s, err := c.stateInUse()
	if err != nil {
		return err
	}
	if name == "" {
		return c.distrust(s, name, cs, untrusted("pass the server's name or IP address to TLSConfig", "no server name to verify"))
	}
	if len(cs.PeerCertificates) == 0 {
		return c.distrust(s, name, cs, fail(ReasonServerUntrusted, "the server has no certificate"))
	}
	intermediates := x509.NewCertPool()
	for _, cert := range cs.PeerCertificates[1:] {
		intermediates.AddCert(cert)
	}
	_, err = cs.PeerCertificates[0].Verify(x509.VerifyOptions{
		DNSName:       name,
		Roots:         s.roots,
		Intermediates: intermediates,
		CurrentTime:   c.config.Now(),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return c.distrust(s, name, cs, untrusted(serverHint(err), "%w", &tls.CertificateVerificationError{UnverifiedCertificates: cs.PeerCertificates, Err: err}))
	}
	if err := c.checkPins(cs); err != nil {
		return c.distrust(s, name, cs, err)
	}
	return nil
}

func (c *Certificate) stateInUse() (*state, error) {
	if err := c.unusable(); err != nil {
		return nil, err
	}
	if s := c.current.Load(); s != nil {
		return s, nil
	}
	return nil, fail(ReasonClosed, "closed").at("connection")
}

// checkPins does what remains if crypto/tls verifies the server, which it also does for resumed sessions.
func (c *Certificate) checkPins(cs tls.ConnectionState) *Error {
	if len(c.pins) == 0 {
		return nil
	}
	if len(cs.PeerCertificates) > 0 {
		digest := sha256.Sum256(cs.PeerCertificates[0].RawSubjectPublicKeyInfo)
		for _, pin := range c.pins {
			if subtle.ConstantTimeCompare(pin, digest[:]) == 1 {
				return nil
			}
		}
		return untrusted("is this the right server? if its key was renewed, add it to Config.ServerKeys", "the server's key %x is not in ServerKeys", digest)
	}
	return fail(ReasonServerUntrusted, "the server has no certificate")
}

// untrusted returns the error about a server, with a hint that fits the cause.
func untrusted(hint, format string, args ...any) *Error {
	e := fail(ReasonServerUntrusted, format, args...)
	e.Hint = hint
	return e
}

// serverHint returns the first step after an error of crypto/x509.
func serverHint(err error) string {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		if bytes.Equal(invalid.Cert.RawSubject, invalid.Cert.RawIssuer) {
			return "the root that verifies the server has expired: add the CA's next one to Config.ServerRoots; check this host's clock too"
		}
		return "the server's certificate, or one above it, has to be renewed there; check this host's clock too"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "is this the right server? its certificate is for other names than the one that was called"
	}
	return ReasonServerUntrusted.hint()
}

// distrust reports that a server was refused.
func (c *Certificate) distrust(s *state, name string, cs tls.ConnectionState, err *Error) error {
	err = err.at("connection")
	c.tell(Event{Outcome: OutcomeRefused, Err: err, Host: name, Protocol: tls.VersionName(cs.Version)}, s, false)
	return err
}
