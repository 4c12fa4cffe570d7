package evidence_test

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
	"github.com/seed2886b8ae/go-certauth/internal/sha1sum"
)

// Cases 15 and 16: whose name or key, and the position of the certificate.
func TestVerifyOCSP_ResponderIDAndCertificates(t *testing.T) {
	s := newScene(t)
	d := s.delegate(t)
	with := func(r ocsptest.Response, responder []byte, certs ...[]byte) []byte {
		r.Responder, r.Certificates = responder, certs
		return encode(t, r)
	}
	hash := ocsptest.IDOf(crypto.SHA1, s.ca.cert, s.client.cert.SerialNumber).KeyHash
	name := ocsptest.ByName(d.cert.RawSubject)
	garbage := ocsptest.Element(ocsptest.TagSequence, []byte("no certificate"))
	nine := make([][]byte, 0, 9)
	for range 9 {
		nine = append(nine, d.cert.Raw)
	}
	folded := makeCert(t, "  CLIENTS   ca ", s.ca.key, nil).cert.RawSubject
	const good, unavailable = evidence.Good, evidence.Unavailable
	run(t, evidence.VerifyOCSP, s.client, s.ca, []evidenceCase{
		{"the key hash as it should be", with(s.good(), ocsptest.ByKeyHash(hash)), nil, good, nil},
		{"the issuer's name in other case and spacing", with(s.good(), ocsptest.ByName(folded)), nil, good, nil},
		{"case 15 another name", with(s.good(), ocsptest.ByName(s.other.cert.RawSubject)), nil, unavailable, evidence.ErrNoSigner},
		{"case 15 the delegate's certificate, another name", with(s.by(d), ocsptest.ByName(s.other.cert.RawSubject), d.cert.Raw), nil, unavailable, evidence.ErrNoSigner},
		{"case 15 the key of another", with(s.good(), ocsptest.ByKey(s.other.cert)), nil, unavailable, evidence.ErrNoSigner},
		{"case 15 a hash of 19 bytes", with(s.good(), ocsptest.ByKeyHash(hash[:19])), nil, unavailable, evidence.ErrNoSigner},
		{"case 15 an empty hash", with(s.good(), ocsptest.ByKeyHash(nil)), nil, unavailable, evidence.ErrNoSigner},
		{"case 15 a hash of 32 bytes", with(s.good(), ocsptest.ByKeyHash(ocsptest.IDOf(crypto.SHA256, s.ca.cert, s.client.cert.SerialNumber).KeyHash)), nil, unavailable, evidence.ErrNoSigner},
		{"case 16 the delegate is the second certificate", with(s.by(d), name, s.other.cert.Raw, d.cert.Raw), nil, good, nil},
		{"case 16 garbage stands before it", with(s.by(d), name, garbage, d.cert.Raw), nil, good, nil},
		{"case 16 garbage after it", with(s.by(d), name, d.cert.Raw, garbage), nil, good, nil},
		{"case 16 eight certificates", with(s.by(d), name, nine[:8]...), nil, good, nil},
		{"case 16 nine certificates", with(s.by(d), name, nine...), nil, unavailable, evidence.ErrLimits},
		{"case 16 nine, signed by the issuer", with(s.good(), ocsptest.ByKeyHash(hash), nine...), nil, unavailable, evidence.ErrLimits},
	})
}

// Check 7: a responder is named by the SHA-1 hash of its key, a BIT STRING of whole octets in each
// accepted algorithm. Another key has no such hash.
func TestVerifyOCSP_KeyThatIsNotWholeOctetsIsNotNamed(t *testing.T) {
	s := newScene(t)
	d := s.delegate(t)
	bits := []byte{0xAA, 0xA8}
	odd := ocsptest.Element(ocsptest.TagSequence, ocsptest.Identifier(asn1.ObjectIdentifier{1, 2, 3, 4}, nil), ocsptest.Element(3, []byte{3}, bits))
	var parts []asn1.RawValue
	_, err := asn1.Unmarshal(d.cert.RawTBSCertificate, &parts)
	require.NoError(t, err)
	parts[6] = asn1.RawValue{FullBytes: odd} // version, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo
	tbs, err := asn1.Marshal(parts)
	require.NoError(t, err)
	cert := encode(t, ocsptest.List{TBS: tbs, Key: s.ca.key})
	parsed, err := x509.ParseCertificate(cert)
	require.NoError(t, err)
	sum, err := sha1sum.Of(bits)
	require.NoError(t, err)
	r := s.by(d)
	r.Certificates = [][]byte{cert}
	for name, c := range map[string]struct {
		responder []byte
		err       error
	}{
		"named by its name": {ocsptest.ByName(parsed.RawSubject), evidence.ErrWeakAlgorithm},
		"named by its bits": {ocsptest.ByKeyHash(sum[:]), evidence.ErrNoSigner},
	} {
		t.Run(name, func(t *testing.T) {
			r.Responder = c.responder
			result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
			expect(t, result, err, evidence.Unavailable, c.err)
		})
	}
}

// A responder that the operator trusts explicitly needs no certificate of the issuer.
func TestVerifyOCSP_TrustedResponders(t *testing.T) {
	s := newScene(t)
	trusted := makeCert(t, "Our responder", newKey(t), nil)
	ended := makeCert(t, "Our responder", newKey(t), nil, valid(now.Add(-day), now.Add(-skew-time.Second)))
	impostor := makeCert(t, "Our responder", newKey(t), nil)
	terms := func(of ...*identity) func(*evidence.VerifyOptions) {
		return func(o *evidence.VerifyOptions) {
			o.TrustedResponders = []*x509.Certificate{nil}
			for _, one := range of {
				o.TrustedResponders = append(o.TrustedResponders, one.cert)
			}
		}
	}
	bare := func(of *identity) []byte {
		r := s.by(of)
		r.Certificates = nil
		return encode(t, r)
	}
	const good, unavailable = evidence.Good, evidence.Unavailable
	run(t, evidence.VerifyOCSP, s.client, s.ca, []evidenceCase{
		{"trusted and not embedded", bare(trusted), terms(trusted), good, nil},
		{"trusted and embedded", encode(t, s.by(trusted)), terms(trusted), good, nil},
		{"not trusted", encode(t, s.by(trusted)), nil, unavailable, evidence.ErrResponderNotAuthorized},
		{"trusted, but no longer valid", bare(ended), terms(ended), unavailable, evidence.ErrResponderNotAuthorized},
		{"another of the same name signed", bare(impostor), terms(trusted), unavailable, evidence.ErrBadSignature},
		{"another of the same name signed and is embedded", encode(t, s.by(impostor)), terms(trusted), unavailable, evidence.ErrResponderNotAuthorized},
	})
}

// Cases 13 and 14: whether the delegate itself is revoked.
func TestVerifyOCSP_RevocationOfTheDelegate(t *testing.T) {
	s := newScene(t)
	unchecked := s.delegate(t, noExtras)
	checked := s.delegate(t)
	lifetime := unchecked.cert.NotAfter.Sub(unchecked.cert.NotBefore)
	type options = evidence.VerifyOptions
	der := encode(t, s.by(unchecked))
	const good, unavailable = evidence.Good, evidence.Unavailable
	refused := evidence.ErrDelegateRevocation
	run(t, evidence.VerifyOCSP, s.client, s.ca, []evidenceCase{
		{"case 13 trusted for its lifetime", der, nil, good, nil},
		{"case 13 ocsp-nocheck is required and missing", der, func(o *options) { o.RequireNoCheck = true }, unavailable, refused},
		{
			"case 13 ocsp-nocheck is required and there", encode(t, s.by(checked)),
			func(o *options) { o.RequireNoCheck = true }, good, nil,
		},
		{"case 13 as long as is allowed", der, func(o *options) { o.MaxDelegateLifetime = lifetime }, good, nil},
		{"case 13 a second longer than is allowed", der, func(o *options) { o.MaxDelegateLifetime = lifetime - time.Second }, unavailable, refused},
		{
			"case 13 the bound is not for delegates with ocsp-nocheck", encode(t, s.by(checked)),
			func(o *options) { o.MaxDelegateLifetime = time.Second }, good, nil,
		},
	})
	for name, c := range map[string]struct {
		der  []byte
		want bool
		o    evidence.VerifyOptions
	}{
		"trusted for its lifetime":           {der, true, at(now)},
		"it has ocsp-nocheck":                {encode(t, s.by(checked)), false, at(now)},
		"the issuer signed, there is no one": {encode(t, s.good()), false, at(now)},
	} {
		t.Run("case 13 DelegateUnchecked when "+name, func(t *testing.T) {
			result, err := evidence.VerifyOCSP(c.der, s.client.cert, s.ca.cert, c.o)
			require.NoError(t, err)
			assert.Equal(t, c.want, result.DelegateUnchecked)
		})
	}
}

// Check 11: at most three signatures are verified, however many certificates have the name.
func TestVerifyOCSP_AtMostThreeVerifications(t *testing.T) {
	s := newScene(t)
	trusted := makeCert(t, "Our responder", newKey(t), nil)
	r := s.by(trusted)
	r.Certificates = nil
	der := encode(t, r)
	with := func(impostors int) func(*evidence.VerifyOptions) {
		return func(o *evidence.VerifyOptions) {
			for range impostors {
				o.TrustedResponders = append(o.TrustedResponders, makeCert(t, "Our responder", newKey(t), nil).cert)
			}
			o.TrustedResponders = append(o.TrustedResponders, trusted.cert)
		}
	}
	run(t, evidence.VerifyOCSP, s.client, s.ca, []evidenceCase{
		{"the third of the name", der, with(2), evidence.Good, nil},
		{"the fourth of the name", der, with(3), evidence.Unavailable, evidence.ErrBadSignature},
	})
}
