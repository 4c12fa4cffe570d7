package evidence_test

import (
	"crypto"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding C12: the names of CRL issuers and responders were compared according to RFC 5280, section
// 7.1, but those of delegates and of the certificate's own issuer byte by byte.
func TestVerify_NamesInOtherSpellings(t *testing.T) {
	s := newScene(t)
	for name, c := range spellings(t, s) {
		other := s.ca.spelt(c.name)
		want := func(sentinel error) (evidence.Status, error) {
			if c.same {
				return evidence.Good, nil
			}
			return evidence.Unavailable, sentinel
		}
		t.Run("the issuer of a delegate, "+name, func(t *testing.T) {
			delegate := makeCert(t, "responder", newKey(t), other, asDelegate)
			result, err := evidence.VerifyOCSP(encode(t, s.by(delegate)), s.client.cert, s.ca.cert, at(now))
			status, sentinel := want(evidence.ErrResponderNotAuthorized)
			expect(t, result, err, status, sentinel)
		})
		client := makeCert(t, "client", newKey(t), other, asClient)
		for hash, issuer := range map[string]*x509.Certificate{"the certificate spells it": other.cert, "the CA spells it": s.ca.cert} {
			t.Run("the issuer of the certificate, "+name+"; an answer names it as "+hash, func(t *testing.T) {
				r := s.good()
				r.Answers = []ocsptest.Answer{s.answer(client, ocsptest.StatusGood)}
				r.Answers[0].ID = ocsptest.IDOf(crypto.SHA256, issuer, client.cert.SerialNumber)
				result, err := evidence.VerifyOCSP(encode(t, r), client.cert, s.ca.cert, at(now))
				status, sentinel := want(evidence.ErrIssuerMismatch)
				expect(t, result, err, status, sentinel)
			})
		}
		t.Run("the issuer of the certificate, "+name+"; a list", func(t *testing.T) {
			result, err := bothWays(t)(encode(t, s.list()), client.cert, s.ca.cert, at(now))
			status, sentinel := want(evidence.ErrIssuerMismatch)
			expect(t, result, err, status, sentinel)
			result, err = bothWays(t)(encode(t, s.list(entryFor(client))), client.cert, s.ca.cert, at(now))
			if c.same {
				require.NoError(t, err)
				assert.Equal(t, evidence.Revoked, result.Status)
			}
		})
		t.Run("an answer names the CA by another spelling than anybody", func(t *testing.T) {
			r := s.good()
			r.Answers[0].ID = ocsptest.IDOf(crypto.SHA256, s.ca.spelt(s.root.cert.RawSubject).cert, s.client.cert.SerialNumber)
			_, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
			require.ErrorIs(t, err, evidence.ErrNoMatch)
		})
	}
}

// spellings returns names that equal the scene's CA according to RFC 5280, section 7.1, or do not.
func spellings(t *testing.T, s *scene) map[string]struct {
	name []byte
	same bool
} {
	printable, utf8 := []byte("\x13\x0aClients CA"), []byte("\x0c\x0aClients CA")
	type spelling = struct {
		name []byte
		same bool
	}
	return map[string]spelling{
		"as it stands":           {s.ca.cert.RawSubject, true},
		"in another string type": {replaceOnce(t, s.ca.cert.RawSubject, printable, utf8), true},
		"in another letter case": {replaceOnce(t, s.ca.cert.RawSubject, []byte("Clients CA"), []byte("CLIENTS ca")), true},
		"in other spacing":       {makeCert(t, " Clients   CA ", newKey(t), nil).cert.RawSubject, true},
		"another name":           {replaceOnce(t, s.ca.cert.RawSubject, []byte("Clients CA"), []byte("Clients CB")), false},
	}
}

// spelt returns the identity with its name in another spelling, for the certificates that it
// issues.
func (i *identity) spelt(name []byte) *identity {
	cert := *i.cert
	cert.RawSubject = name
	return &identity{cert: &cert, key: i.key, issuer: i.issuer}
}
