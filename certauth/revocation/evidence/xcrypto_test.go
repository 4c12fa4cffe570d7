package evidence_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/asn1"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// Eighteen responses, the results of golang.org/x/crypto/ocsp v0.58.0 for them, and those of this
// package. If a result of x/crypto changes, change the table.
func TestVerifyOCSP_WhereXCryptoDiffers(t *testing.T) {
	s := newScene(t)
	sibling := makeCert(t, "Sibling CA", newKey(t), s.root, asCA)
	subCA := makeCert(t, "Sub CA", newKey(t), s.ca, asCA)
	stranger := makeCert(t, "Stranger", newKey(t), nil, asCA)
	old := s.delegate(t, valid(now.Add(-20*day), now.Add(-10*day)))
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	// Scenes whose CA has another kind of key.
	scenes := map[string]*scene{"ed": sceneWithCAKey(t, ed), "rsa": sceneWithCAKey(t, rsaKey(t, 2048)), "weak": sceneWithCAKey(t, rsaKey(t, 1024))}
	base := func(change func(*ocsptest.Response)) ocsptest.Response {
		r := s.good()
		change(&r)
		return r
	}
	of := func(name string, change func(*ocsptest.Response)) ocsptest.Response {
		r := scenes[name].good()
		change(&r)
		return r
	}
	algorithm := func(a ocsptest.Algorithm) func(*ocsptest.Response) {
		return func(r *ocsptest.Response) { r.Algorithm = a }
	}
	foreign := ocsptest.Extension{OID: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55555, 1}, Critical: true, Value: []byte{5, 0}}
	revoked := s.answer(s.client, ocsptest.StatusRevoked(ocsptest.At(now.Add(-day)), 1))
	const (
		accepts = true
		rejects = false
		good    = evidence.Good
		no      = evidence.Unavailable
	)
	refused := evidence.ErrResponderNotAuthorized
	for _, c := range []struct {
		name     string
		scene    *scene
		response ocsptest.Response
		theirs   bool
		without  string // data that is not passed to theirs
		ours     evidence.Status
		err      error
	}{
		{name: "01 signed by another client of the CA", response: s.by(s.other), theirs: accepts, ours: no, err: refused},
		{name: "02 signed by the certificate itself", response: s.by(s.client), theirs: accepts, ours: no, err: refused},
		{name: "03 signed by an expired delegate", response: s.by(old), theirs: accepts, ours: no, err: refused},
		{name: "04 the hashes name a sibling CA", response: base(func(r *ocsptest.Response) {
			r.Answers[0].ID = ocsptest.IDOf(crypto.SHA1, sibling.cert, s.client.cert.SerialNumber)
		}), theirs: accepts, ours: no, err: evidence.ErrNoMatch},
		{name: "05 the issuer's own certificate is embedded", response: s.by(s.ca), theirs: rejects, ours: good},
		{name: "06 a delegate of another CA", response: s.by(makeCert(t, "responder", newKey(t), sibling, asDelegate)), theirs: rejects, ours: no, err: refused},
		{name: "07 another serial number, no certificate given", response: base(func(r *ocsptest.Response) {
			r.Answers[0] = s.answer(s.other, ocsptest.StatusGood)
		}), theirs: accepts, without: "certificate", ours: no, err: evidence.ErrNoMatch},
		{
			name: "08 signed by a stranger, no issuer given", response: base(func(r *ocsptest.Response) { r.Key = stranger.key }),
			theirs: accepts, without: "issuer", ours: no, err: evidence.ErrBadSignature,
		},
		{name: "09 a CA below the issuer as delegate", response: s.by(subCA), theirs: accepts, ours: no, err: refused},
		{name: "10 RSA with SHA-1", scene: scenes["rsa"], response: of("rsa", algorithm(ocsptest.RSA(crypto.SHA1))), theirs: accepts, ours: no, err: evidence.ErrWeakAlgorithm},
		{name: "11 ECDSA with SHA-1", response: base(algorithm(ocsptest.ECDSA(crypto.SHA1))), theirs: accepts, ours: no, err: evidence.ErrWeakAlgorithm},
		{name: "12 RSA of 1024 bits", scene: scenes["weak"], response: scenes["weak"].good(), theirs: accepts, ours: no, err: evidence.ErrWeakAlgorithm},
		{name: "13 an unknown critical extension of the response", response: base(func(r *ocsptest.Response) {
			r.Extensions = []ocsptest.Extension{foreign}
		}), theirs: accepts, ours: no, err: evidence.ErrCriticalExtension},
		{name: "14 the responder's name is somebody else's", response: base(func(r *ocsptest.Response) {
			r.Responder = ocsptest.ByName(s.other.cert.RawSubject)
		}), theirs: accepts, ours: no, err: evidence.ErrNoSigner},
		{
			name: "15 Good and Revoked", response: base(func(r *ocsptest.Response) { r.Answers = append(r.Answers, revoked) }),
			theirs: accepts, ours: evidence.Revoked,
		},
		{name: "16 Ed25519", scene: scenes["ed"], response: scenes["ed"].good(), theirs: rejects, ours: good},
		{name: "17 RSA-PSS", scene: scenes["rsa"], response: of("rsa", algorithm(ocsptest.PSS(crypto.SHA256, crypto.SHA256, 32))), theirs: rejects, ours: good},
		{name: "18 thisUpdate in 1000 days, nextUpdate 1000 days ago", response: base(func(r *ocsptest.Response) {
			r.Answers[0].ThisUpdate, r.Answers[0].NextUpdate = ocsptest.At(now.Add(1000*day)), ocsptest.At(now.Add(-1000*day))
			r.ProducedAt = ocsptest.At(now)
		}), theirs: accepts, ours: no, err: evidence.ErrProducedAt},
	} {
		t.Run(c.name, func(t *testing.T) {
			of := c.scene
			if of == nil {
				of = s
			}
			der := encode(t, c.response)
			cert, issuer := of.client.cert, of.ca.cert
			theirCert, theirIssuer := cert, issuer
			switch c.without {
			case "certificate":
				theirCert = nil
			case "issuer":
				theirIssuer = nil
			}
			theirs, err := ocsp.ParseResponseForCert(der, theirCert, theirIssuer)
			if c.theirs {
				require.NoError(t, err, "x/crypto/ocsp")
				assert.Equal(t, ocsp.Good, theirs.Status, "x/crypto/ocsp")
			} else {
				require.Error(t, err, "x/crypto/ocsp")
			}
			result, err := evidence.VerifyOCSP(der, cert, issuer, at(now))
			expect(t, result, err, c.ours, c.err)
		})
	}
}
