package evidence_test

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// Cases 1 to 14 and 19: who signed.
func TestVerifyOCSP_Signer(t *testing.T) {
	s := newScene(t)
	delegate := s.delegate(t)
	stranger := makeCert(t, "Stranger CA", newKey(t), nil, asCA)
	sibling := makeCert(t, "Clients CA", newKey(t), s.root, asCA)
	subCA := makeCert(t, "Sub CA", newKey(t), s.ca, asCA)
	response := func(r ocsptest.Response, changes ...func(*ocsptest.Response)) []byte {
		for _, change := range changes {
			change(&r)
		}
		return encode(t, r)
	}
	bare := func(r *ocsptest.Response) { r.Certificates = nil }
	byKey := func(of *identity) func(*ocsptest.Response) {
		return func(r *ocsptest.Response) { r.Responder = ocsptest.ByKey(of.cert) }
	}
	plain := encode(t, s.good())
	flipped := func(r *ocsptest.Response) {
		r.Forge = func(tbs []byte) []byte {
			forged := append([]byte(nil), tbs...)
			forged[len(forged)-10] ^= 1 // a digit of nextUpdate
			return forged
		}
	}
	signature := append([]byte(nil), plain...)
	signature[len(signature)-1] ^= 1
	tampered := append([]byte(nil), delegate.cert.Raw...)
	tampered[len(tampered)-1] ^= 1
	bySubject := makeCert(t, "client", s.client.key, s.ca, asDelegate)
	issue := func(name string, by *identity, changes ...change) []byte {
		return response(s.by(makeCert(t, name, newKey(t), by, append([]change{asDelegate}, changes...)...)))
	}
	const good, unavailable = evidence.Good, evidence.Unavailable
	none, bad, refused := evidence.ErrNoSigner, evidence.ErrBadSignature, evidence.ErrResponderNotAuthorized
	run(t, evidence.VerifyOCSP, s.client, s.ca, []evidenceCase{
		{"the base: signed by the issuer, named", plain, nil, good, nil},
		{"the base: signed by the issuer, by key", response(s.good(), byKey(s.ca)), nil, good, nil},
		{"the base: signed by a delegate, named", response(s.by(delegate)), nil, good, nil},
		{"the base: signed by a delegate, by key", response(s.by(delegate), byKey(delegate)), nil, good, nil},
		{"case 01 a bit of the signed part is flipped", response(s.good(), flipped), nil, unavailable, bad},
		{"case 01 a bit of the signature is flipped", signature, nil, unavailable, bad},
		{"case 01 another signature algorithm is named", response(s.good(), func(r *ocsptest.Response) {
			r.Algorithm = ocsptest.ECDSA(crypto.SHA256)
			r.Algorithm.Identifier = ocsptest.ECDSA(crypto.SHA384).Identifier
		}), nil, unavailable, bad},
		{"case 02 the delegate's certificate was tampered with", response(s.by(delegate), func(r *ocsptest.Response) {
			r.Certificates = [][]byte{tampered}
		}), nil, unavailable, refused},
		{"case 02 a bit is flipped in what a delegate signed", response(s.by(delegate), flipped), nil, unavailable, bad},
		{"case 03 signed by an unrelated CA", response(s.by(stranger), bare), nil, unavailable, none},
		{"case 03 signed by an unrelated CA that is embedded", response(s.by(stranger)), nil, unavailable, refused},
		{"case 04 signed by a sibling of the same name and another key", response(s.by(sibling), bare), nil, unavailable, bad},
		{"case 04 the same, named by key", response(s.by(sibling), bare, byKey(sibling)), nil, unavailable, none},
		{"case 04 the same, embedded and named by key", response(s.by(sibling), byKey(sibling)), nil, unavailable, refused},
		{"case 05 signed by the root above the issuer", response(s.by(s.root), bare), nil, unavailable, none},
		{"case 05 signed by the root, embedded", response(s.by(s.root)), nil, unavailable, refused},
		{"case 06 signed by the certificate in question", response(s.by(s.client)), nil, unavailable, refused},
		{"case 06 signed by its key under a certificate for OCSPSigning", response(s.by(bySubject)), nil, unavailable, refused},
		{"case 07 signed by another client of the CA", response(s.by(s.other)), nil, unavailable, refused},
		{"case 08 a delegate without any usage", issue("responder", s.ca, usages()), nil, unavailable, refused},
		{"case 08 a delegate for any usage", issue("responder", s.ca, usages(x509.ExtKeyUsageAny)), nil, unavailable, refused},
		{"case 08 a delegate for clientAuth", issue("responder", s.ca, usages(x509.ExtKeyUsageClientAuth)), nil, unavailable, refused},
		{
			"case 08 a delegate for clientAuth and OCSPSigning",
			issue("responder", s.ca, usages(x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageOCSPSigning)), nil, good, nil,
		},
		{"case 09 a delegate that is a CA", issue("responder", s.ca, func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid = true, true
			c.KeyUsage |= x509.KeyUsageCertSign
		}), nil, unavailable, refused},
		{"case 11 a delegate of an unrelated CA", issue("responder", stranger), nil, unavailable, refused},
		{"case 11 a delegate of a sibling of the same name", issue("responder", sibling), nil, unavailable, refused},
		{"case 11 a delegate of the root above", issue("responder", s.root), nil, unavailable, refused},
		{"case 11 a delegate of a CA below", issue("responder", subCA), nil, unavailable, refused},
		// finding C13: a delegate with different key identifiers was refused although the issuer's key signed
		// it.
		{"case 11 a delegate that names the issuer's key by another identifier", issue("responder", s.ca, extra(ocsptest.AuthorityKeyID([]byte("another")))), nil, good, nil},
		{"case 12 a delegate with keyEncipherment alone", issue("responder", s.ca, keyUsage(x509.KeyUsageKeyEncipherment)), nil, unavailable, refused},
		{"case 12 a delegate with nonRepudiation", issue("responder", s.ca, keyUsage(x509.KeyUsageContentCommitment)), nil, good, nil},
		{"case 12 a delegate without key usage", issue("responder", s.ca, keyUsage(0)), nil, good, nil},
		{"case 12 a delegate with an unknown critical extension", issue("responder", s.ca, extra(ocsptest.Extension{
			OID: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55555, 1}, Critical: true, Value: []byte{5, 0},
		})), nil, unavailable, refused},
		{"case 19 no certificates, signed by the issuer", response(s.good(), bare), nil, good, nil},
		{"case 17 the issuer's certificate, not self-signed, is embedded", response(s.by(s.ca)), nil, good, nil},
		{"case 17 the same, after another certificate", response(s.by(s.ca), func(r *ocsptest.Response) {
			r.Certificates = [][]byte{s.root.cert.Raw, s.ca.cert.Raw}
		}), nil, good, nil},
	})
}

// The issuer may be a root that embeds its own certificate.
func TestVerifyOCSP_SelfSignedIssuerIsEmbedded(t *testing.T) {
	s := newScene(t)
	s.ca = makeCert(t, "Only CA", newKey(t), nil, asCA)
	s.client = makeCert(t, "client", newKey(t), s.ca, asClient)
	result, err := evidence.VerifyOCSP(encode(t, s.by(s.ca)), s.client.cert, s.ca.cert, at(now))
	expect(t, result, err, evidence.Good, nil)
}

// Check 8: the permitted uses of the issuer's key.
func TestVerifyOCSP_KeyUsageOfTheIssuer(t *testing.T) {
	for _, c := range []struct {
		name   string
		usage  x509.KeyUsage
		status evidence.Status
		err    error
	}{
		{"none named", 0, evidence.Good, nil},
		{"digitalSignature", x509.KeyUsageDigitalSignature, evidence.Good, nil},
		{"keyCertSign", x509.KeyUsageCertSign, evidence.Good, nil},
		{"cRLSign", x509.KeyUsageCRLSign, evidence.Good, nil},
		{"keyEncipherment alone", x509.KeyUsageKeyEncipherment, evidence.Unavailable, evidence.ErrResponderNotAuthorized},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			s.ca = makeCert(t, "Clients CA", newKey(t), s.root, asCA, keyUsage(c.usage), func(x *x509.Certificate) {
				x.IsCA = c.usage == 0 || c.usage&x509.KeyUsageCertSign != 0
			})
			s.client = makeCert(t, "client", newKey(t), s.ca, asClient)
			result, err := evidence.VerifyOCSP(encode(t, s.good()), s.client.cert, s.ca.cert, at(now))
			expect(t, result, err, c.status, c.err)
		})
	}
}

// Cases 9 and 10: the delegate's validity, now and at the time of the signature, to the second.
func TestVerifyOCSP_ValidityOfTheDelegate(t *testing.T) {
	s := newScene(t)
	second := time.Second
	produced := now.Add(-30 * time.Minute)
	from, to := now.Add(-10*day), now.Add(10*day)
	for _, c := range []struct {
		name     string
		from, to time.Time
		ok       bool
	}{
		{"case 10 ended skew minus a second ago", from, now.Add(-skew + second), true},
		{"case 10 ended skew ago", from, now.Add(-skew), true},
		{"case 10 ended skew and a second ago", from, now.Add(-skew - second), false},
		{"case 10 begins, after it signed, in less than skew", produced.Add(skew - second), to, true},
		{"case 10 begins skew after it signed", produced.Add(skew), to, true},
		{"case 10 begins skew and a second after it signed", produced.Add(skew + second), to, false},
		{"case 10 begins after now", now.Add(skew + second), to, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			result, err := evidence.VerifyOCSP(encode(t, s.by(s.delegate(t, valid(c.from, c.to)))), s.client.cert, s.ca.cert, at(now))
			if c.ok {
				expect(t, result, err, evidence.Good, nil)
				assert.False(t, result.UsableUntil.After(c.to), "not longer than its signer")
			} else {
				expect(t, result, err, evidence.Unavailable, evidence.ErrResponderNotAuthorized)
			}
		})
	}
	t.Run("case 10 not yet valid now, and nothing else wrong", func(t *testing.T) {
		r := s.by(s.delegate(t, valid(now.Add(skew+second), to)))
		r.ProducedAt = ocsptest.At(now.Add(2 * second)) // within skew of the beginning and of now
		result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
		expect(t, result, err, evidence.Unavailable, evidence.ErrResponderNotAuthorized)
		r.Key, r.Certificates = nil, nil
		d := s.delegate(t, valid(now.Add(skew), to))
		r.Key, r.Certificates = d.key, [][]byte{d.cert.Raw}
		result, err = evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
		expect(t, result, err, evidence.Good, nil)
	})
	t.Run("case 10 it had ended when it signed", func(t *testing.T) {
		d := s.delegate(t, valid(from, now.Add(-skew))) // ends at the edge of now
		r := s.by(d)
		r.ProducedAt = ocsptest.At(now.Add(second))
		result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
		expect(t, result, err, evidence.Unavailable, evidence.ErrResponderNotAuthorized)
	})
}
